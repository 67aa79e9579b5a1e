"""The sections of a page, one file each; see :mod:`latentia.report.page.section`."""
