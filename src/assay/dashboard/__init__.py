"""The dashboard: pages for operators below ``/dashboard``, a second edge over the stories. It decides nothing.

How to add a page
=================

1. **The row.** Each module in ``pages/`` ends in ``PAGES``, a tuple of rows made by :func:`table.get` and
   :func:`table.post`; ``pages/__init__.py`` joins them. A row has a path below ``/dashboard``, a function, the least
   role that may call it (``"viewer"``, ``"editor"``, ``"owner"``; None: signed in or not), and for a page the name of
   its section in the navigation; a GET without a section is no page but a file to download, or a part of a page.
   A path that begins with ``{project_slug}/{environment_slug}/`` acts on one environment and has three segments or
   more; every other path has one or two, so that no slug can hide a page.

2. **The function** takes a :class:`page.Page` and answers with one of its methods::

       async def show(page: Page) -> Answer:
           report = await profiles.show_profile(page.ctx, page.environment_id, page.parameters["profile_id"])
           return page.render("profiles/show.html", report=report)

       async def delete(page: Page) -> Answer:
           await profiles.delete_profile(page.ctx, page.environment_id, page.parameters["profile_id"], by=page.by)
           return page.redirect(page.within("profiles"), "Deleted the profile.")

   - ``page.parameters`` are the ids of the path (decoded), ``page.query`` the arguments after ``?``, ``page.form`` the
     fields of a post; both have ``text(name)`` (stripped, ``""`` when absent), ``raw(name)``, ``all(name)``,
     ``flag(name)`` (a checkbox), ``number(name)``. A field that comes twice is refused unless read by ``all``.
   - ``page.ctx`` and ``page.by`` go to stories that take an ``Operator``; ``page.call`` to those that take a ``Call``.
   - ``page.environment``, ``page.environment_id``, ``page.project``, ``page.now`` (whole seconds), ``page.operator``.
   - ``page.within("profiles", id, "keys")`` is a path in the chosen environment, ``page.at("operators")`` one outside
     it; both encode each part, and take query arguments as keywords.
   - ``page.render(template, status=200, **values)`` is the page; ``page.redirect(path, notice, tone="good")`` goes on
     with GET after a post, and shows the notice there once. ``page.download(name, type, chunks)`` sends a file.
   - A secret that is shown once is rendered by the post itself (``page.render``), never put into a notice.
   - An ``errors.Error`` that the function lets through becomes a page with its sentence and the right status. For
     faults of a form catch it and render the form again, with what was typed, and ``status=400``.

3. **The template** ``templates/NAME.html`` (or in a folder) extends ``base.html`` and fills the blocks ``title`` and
   ``main``. ``page`` and all that was given to ``render`` are there. Import what is needed::

       {% import "parts/forms.html" as forms with context %}
       {% import "parts/show.html" as show with context %}
       {% import "parts/tables.html" as tables with context %}

   ``forms``: ``form`` (call block; carries the anti-forgery token), ``field``, ``area``, ``choice``, ``check``,
   ``buttons``, ``filters`` (call block: a GET form), ``confirmation``. ``show``: ``heading``, ``badge``, ``when``,
   ``copy``, ``notice``, ``empty``, ``fact``, ``fold`` (call block). ``tables``: ``table`` and ``cell`` (call blocks),
   ``paging``. Each macro says above itself what it takes. ``page.may("editor")`` decides whether a control is shown;
   the row decides whether its post is accepted.

4. **Nothing inline, nothing marked safe.** The policy forbids inline script and style, also ``style=`` and ``on…=``
   attributes. Drawings are SVG elements with classes and attributes. Styles of a page go into ``static/css/NAME.css``
   and scripts into ``static/js/NAME.js``; both folders are joined, in the order of names, into one ``style.css`` and
   one ``dashboard.js``. Use the tokens of ``static/css/00-tokens.css``, no colour or length of your own.

5. **Live parts.** Every page works without script. A template that sets ``{% set live = true %}`` before the blocks
   gets htmx; write ``hx-get`` on the URL of the page itself with ``hx-select="#rows" hx-target="#rows"
   hx-swap="outerHTML"``, so that there is one template for both. htmx posts nothing unless the element is in a form.

6. **The tests.** ``tests/dashboard/samples.py`` gives ids for the parameters of paths; then the page is looked at by
   axe, weighed (150 kB in all), and photographed by ``make screenshots`` without another word.

``pages/profiles.py`` with ``templates/profiles/`` is the example to follow.
"""
