-- How often anything has changed that processes keep in its decoded form: one small read tells them whether it holds.

create table configuration_version (
    only integer primary key check (only = 1),
    version integer not null
) strict;

insert into configuration_version (only, version) values (1, 1);

-- One trigger for each table and each way to change it. They count too often rather than ever too seldom.

create trigger environments_insert_counted after insert on environments begin
    update configuration_version set version = version + 1;
end;

create trigger environments_update_counted after update on environments begin
    update configuration_version set version = version + 1;
end;

create trigger environments_delete_counted after delete on environments begin
    update configuration_version set version = version + 1;
end;

create trigger secrets_insert_counted after insert on secrets begin
    update configuration_version set version = version + 1;
end;

create trigger secrets_update_counted after update on secrets begin
    update configuration_version set version = version + 1;
end;

create trigger secrets_delete_counted after delete on secrets begin
    update configuration_version set version = version + 1;
end;

create trigger signing_keys_insert_counted after insert on signing_keys begin
    update configuration_version set version = version + 1;
end;

create trigger signing_keys_update_counted after update on signing_keys begin
    update configuration_version set version = version + 1;
end;

create trigger signing_keys_delete_counted after delete on signing_keys begin
    update configuration_version set version = version + 1;
end;

create trigger profiles_insert_counted after insert on profiles begin
    update configuration_version set version = version + 1;
end;

create trigger profiles_update_counted after update on profiles begin
    update configuration_version set version = version + 1;
end;

create trigger profiles_delete_counted after delete on profiles begin
    update configuration_version set version = version + 1;
end;

create trigger pem_files_insert_counted after insert on pem_files begin
    update configuration_version set version = version + 1;
end;

create trigger pem_files_update_counted after update on pem_files begin
    update configuration_version set version = version + 1;
end;

create trigger pem_files_delete_counted after delete on pem_files begin
    update configuration_version set version = version + 1;
end;

create trigger rbac_policies_insert_counted after insert on rbac_policies begin
    update configuration_version set version = version + 1;
end;

create trigger rbac_policies_update_counted after update on rbac_policies begin
    update configuration_version set version = version + 1;
end;

create trigger rbac_policies_delete_counted after delete on rbac_policies begin
    update configuration_version set version = version + 1;
end;

create trigger jwt_templates_insert_counted after insert on jwt_templates begin
    update configuration_version set version = version + 1;
end;

create trigger jwt_templates_update_counted after update on jwt_templates begin
    update configuration_version set version = version + 1;
end;

create trigger jwt_templates_delete_counted after delete on jwt_templates begin
    update configuration_version set version = version + 1;
end;

create trigger redirect_urls_insert_counted after insert on redirect_urls begin
    update configuration_version set version = version + 1;
end;

create trigger redirect_urls_update_counted after update on redirect_urls begin
    update configuration_version set version = version + 1;
end;

create trigger redirect_urls_delete_counted after delete on redirect_urls begin
    update configuration_version set version = version + 1;
end;

create trigger organizations_insert_counted after insert on organizations begin
    update configuration_version set version = version + 1;
end;

create trigger organizations_update_counted after update on organizations begin
    update configuration_version set version = version + 1;
end;

create trigger organizations_delete_counted after delete on organizations begin
    update configuration_version set version = version + 1;
end;
