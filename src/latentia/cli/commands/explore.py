"""``latentia explore``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="explore")
@click.argument("run")
@click.argument("data", required=False)
@click.option("--port", type=int, default=5006, show_default=True, help="where the page is served; 0: any that is free")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="the address to listen on; by default this machine alone"
)
@click.option(
    "--allow-origin", "origins", multiple=True, metavar="HOST:PORT", help="a further name browsers reach it by"
)
@click.option("--open", "open_browser", is_flag=True, help="open the page in the browser")
@split_option()
def command(
    run: str, data: str | None, port: int, host: str, origins: tuple[str, ...], open_browser: bool, split: str
) -> None:
    """Explore RUN in the browser: the map of codes, clusters, labels, a classifier, images of your own, walks.

    DATA is what is explored, the run's own data by default. Labels and clusters are written at once into RUN/explore;
    labels.csv there is what `latentia finetune --label-file` takes. The address is printed; Ctrl-C ends it. It needs
    `pip install 'latentia[explore]'`.
    """
    import signal

    from latentia.core.errors import UserError

    def say(text: str) -> None:
        click.echo(text, err=True)

    try:
        import bokeh  # noqa: F401
    except ImportError:
        raise UserError("the explorer needs Bokeh: pip install 'latentia[explore]'") from None
    from latentia.app.server import free_port, serve
    from latentia.app.subject import open_subject

    free_port(host, port)  # told before codes are computed
    subject = open_subject(run, data, split, say)
    if host not in ("127.0.0.1", "localhost", "::1"):
        say(f"whoever reaches {host} can see these images and change labels: there is no password")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        serve(subject, host=host, port=port, origins=origins, open_browser=open_browser, say=click.echo)
    except KeyboardInterrupt:
        say(f"the explorer has ended; what was done is in {subject.workspace.path}")
