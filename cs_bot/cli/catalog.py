"""catalog import, index, find, list, show."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cs_bot import bootstrap, fetch
from cs_bot.cli.data import File, progress_bar, services
from cs_bot.cli.run import Config
from cs_bot.errors import ConfigError, MissingExtra, NotFound
from cs_bot.images import accept_picture
from cs_bot.knowledge.catalog import indexing
from cs_bot.knowledge.catalog.importing import CatalogImport, import_catalog
from cs_bot.knowledge.catalog.lookup import of_picture, of_words
from cs_bot.knowledge.exports import FORMATS
from cs_bot.knowledge.likeness import FEATURES_VERSION
from cs_bot.records import LookupOutcome, Product, ProductHit
from cs_bot.store.queries import product_pictures, products

WAIT_S = 0.5  # at most between two looks at what is due
catalog_app = typer.Typer(no_args_is_help=True, help="The products that the shop sells, found by words and by picture.")

Account = Annotated[str | None, typer.Option(help="Account that sells them; needless where there is only one.")]
Channel = Annotated[str, typer.Option(help="Channel of that account.")]
Folder = Annotated[
    Path | None,
    typer.Option("--pictures", exists=True, file_okay=False, help="Folder of pictures that the file names by path."),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(catalog_app, name="catalog")


@catalog_app.command(
    "import",
    epilog="Example: cs-bot catalog import products_export.csv --currency USD --shop-url https://shop.example",
)
def import_(
    file: File,
    account: Account = None,
    channel: Channel = "generic",
    file_format: Annotated[str, typer.Option("--format", help=f"auto, {', '.join(FORMATS)}.")] = "auto",
    currency: Annotated[str | None, typer.Option(help="Of a file that does not say it: CNY, USD …")] = None,
    shop_url: Annotated[str | None, typer.Option(help="The shop's address; links are made from it.")] = None,
    pictures: Folder = None,
    complete: Annotated[bool, typer.Option(help="What the file does not name is no longer sold.")] = False,
    index: Annotated[bool, typer.Option(help="Fetch and index pictures at the end.")] = True,
    config: Config = None,
) -> None:
    """Import products (own CSV or JSON Lines, Shopify or WooCommerce export): all or none, then their pictures.

    Every bad row is named with its line. Exit code 1 when the file is refused or a picture could not be indexed.
    """
    if file_format not in ("auto", *FORMATS):
        raise ConfigError(f"unknown format {file_format!r}; known: auto, {', '.join(FORMATS)}")
    if shop_url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", shop_url):
        raise ConfigError(f"{shop_url!r} is no address of a shop, such as https://shop.example")
    with services(config) as here:
        of = _account(here, channel, account)
        with progress_bar("products") as progress:
            done = import_catalog(
                here.database,
                file,
                channel=of[0],
                account=of[1],
                file_format=file_format,
                currency=currency,
                shop_url=shop_url,
                timezone=here.settings.shop.timezone,
                complete=complete,
                progress=progress,
            )
        typer.echo(_told(done))
        if done.rows.ignored_columns:
            typer.echo(f"columns that were not used: {', '.join(done.rows.ignored_columns)}", err=True)
        if not index:
            return
        if not indexing.can_index():
            typer.echo("pictures are not indexed: pip install -e '.[lite]', then cs-bot catalog index", err=True)
            return
        _index(here, of, pictures)


def _told(done: CatalogImport) -> str:
    rows = done.rows
    more = "".join(f", {n} {what}" for n, what in ((done.unsold, "not on sale"), (done.gone, "taken out")) if n)
    return (
        f"catalog ({done.format}): {rows.created} new, {rows.updated} updated, {rows.unchanged} unchanged, "
        f"{rows.stale} older{more}"
    )


@catalog_app.command("index", epilog="Example: cs-bot catalog index   |   cs-bot catalog index --again")
def index_(
    account: Account = None,
    channel: Channel = "generic",
    pictures: Folder = None,
    again: Annotated[bool, typer.Option(help="Try again what failed.")] = False,
    config: Config = None,
) -> None:
    """Fetch and index product pictures that wait: goes on where it stopped. Exit code 1 when some failed."""
    with services(config) as here:
        of = _account(here, channel, account)
        if not indexing.can_index():
            raise MissingExtra("indexing product pictures", "lite")
        _index(here, of, pictures, again=again)


def _index(here: bootstrap.Services, of: indexing.Account, folder: Path | None, *, again: bool = False) -> None:
    """Index what waits, tell what failed; raises Exit(1) when something did."""
    indexing.renew_words(here.database)
    with here.database.write() as tx:
        product_pictures.again(tx, FEATURES_VERSION, of=of, failed=again)
        files = 0 if folder is not None else product_pictures.files_waiting(tx, of)
        total = product_pictures.counts(tx, of)[product_pictures.WAITING] - files
    done = 0
    with progress_bar("pictures") as progress:
        progress(0, total)
        while (one := _next(here, of, folder)) is not None:
            done += one.state != product_pictures.WAITING
            progress(done, max(total, done))
            if one.state == product_pictures.FAILED:
                typer.echo(f"{one.product_id}  picture {one.position + 1}  {one.url[:200]}  {one.reason}", err=True)
    with here.database.read() as tx:
        counts = product_pictures.counts(tx, of)
    typer.echo(f"pictures: {counts['ready']} ready, {counts['failed']} failed, {counts['waiting']} waiting")
    if files:
        typer.echo(f"{files} pictures are files: cs-bot catalog index --pictures FOLDER", err=True)
    if counts[product_pictures.FAILED]:
        raise typer.Exit(1)


def _next(here: bootstrap.Services, of: indexing.Account, folder: Path | None) -> indexing.Indexed | None:
    """The next picture's outcome, after waiting for one that is to be tried again; None when none is left."""
    while True:
        found = indexing.index_next(
            here.database,
            rules_of=fetch.product_rules(here.settings),
            max_attempts=here.settings.fetch.max_attempts,
            of=of,
            folder=folder,
        )
        if found is not None:
            return found
        with here.database.read() as tx:
            due_at = product_pictures.next_due_at(tx, of=of, local=folder is not None)
            wait_s = None if due_at is None else (due_at - tx.now()).total_seconds()
        if wait_s is None:
            return None
        time.sleep(min(WAIT_S, max(0.01, wait_s)))


@catalog_app.command(
    "find", epilog='Example: cs-bot catalog find "黑色帆布包"   |   cs-bot catalog find --image bag.jpg'
)
def find(
    words: Annotated[list[str] | None, typer.Argument(help="What a customer would write.")] = None,
    image: Annotated[Path | None, typer.Option("--image", exists=True, dir_okay=False, help="A picture.")] = None,
    account: Account = None,
    channel: Channel = "generic",
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many to show.")] = 5,
    config: Config = None,
) -> None:
    """What the catalog finds for words or a picture, best first, with score and margin to the next one."""
    text = " ".join(words or ())
    if bool(text.strip()) == (image is not None):
        raise ConfigError("nothing to look for: give words, or a picture (--image)")
    if image is not None and not indexing.can_index():
        raise MissingExtra("finding products by picture", "lite")
    with services(config) as here:
        of = _account(here, channel, account)
        with here.database.read() as tx:
            if image is not None:
                picture = accept_picture(image.read_bytes())
                hits = here.catalog.by_picture(tx, *of, picture.data, limit=limit)
                outcome = of_picture(hits)
            else:
                hits = here.catalog.by_words(tx, *of, text, limit=limit)
                outcome = of_words(hits)
    console = Console(highlight=False)
    console.print(_hits(hits))
    console.print(f"{outcome}: {_OUTCOMES[outcome]}")


_OUTCOMES = {
    LookupOutcome.CLEAR: "the first one is meant",
    LookupOutcome.CLOSE: "the customer would be asked which one",
    LookupOutcome.NONE: "nothing that the shop has is meant; these are the nearest",
}


def _hits(hits: Sequence[ProductHit]) -> Table:
    table = Table(box=None, header_style="bold")
    for name, right in (("id", 0), ("title", 0), ("sku", 0), ("price", 1), ("stock", 1), ("how", 0)):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("margin", justify="right")
    for hit in hits:
        one = hit.product
        figures = (f"{hit.score:.2f}", f"{hit.margin:.2f}")
        table.add_row(one.product_id, one.title, hit.sku or "", *_sold(one), hit.likeness.value, *figures)
    return table


def _sold(one: Product) -> tuple[str, str]:
    """Price and stock as a person reads them; ranges where variants differ."""
    prices = sorted({price for price in [v.price for v in one.variants] or [one.price] if price is not None})
    prices = prices or [price for price in [one.price] if price is not None]
    counted = [v.stock for v in one.variants if v.stock is not None] if one.stock is None else [one.stock]
    price = "–".join(dict.fromkeys(str(price) for price in (*prices[:1], *prices[-1:])))
    return f"{price} {one.currency}" if price else "", str(sum(counted)) if counted else ""


@catalog_app.command("list", epilog="Example: cs-bot catalog list --limit 20")
def list_(
    account: Account = None,
    channel: Channel = "generic",
    after: Annotated[str, typer.Option(help="Only ids behind this one.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")] = 50,
    config: Config = None,
) -> None:
    """List products by id with price and stock."""
    with services(config) as here:
        of = _account(here, channel, account)
        with here.database.read() as tx:
            found = products.page(tx, *of, after=after, limit=limit)
            total, pictures = products.count(tx, *of), product_pictures.counts(tx, of)
    table = Table(box=None, header_style="bold")
    for name in ("id", "title", "price", "stock", "variants"):
        table.add_column(name, justify="left" if name in ("id", "title") else "right", overflow="fold")
    for one in found:
        table.add_row(one.product_id, one.title, *_sold(one), str(len(one.variants) or ""))
    console = Console(highlight=False)
    console.print(table)
    states = ", ".join(f"{n} {state}" for state, n in pictures.items())
    console.print(f"{len(found)} of {total} products; pictures: {states}")


@catalog_app.command("show", epilog="Example: cs-bot catalog show CUP-350")
def show(
    product_id: Annotated[str, typer.Argument(help="The product's id.")],
    account: Account = None,
    channel: Channel = "generic",
    config: Config = None,
) -> None:
    """Show one product with its variants and its pictures."""
    with services(config) as here:
        of = _account(here, channel, account)
        with here.database.read() as tx:
            one = next(iter(products.by_ids(tx, *of, [product_id])), None)
            pictures = product_pictures.of_product(tx, *of, product_id)
    if one is None:
        raise NotFound(f"{of[0]}/{of[1]} sells no product {product_id!r}")
    console = Console(highlight=False)
    facts = Table(box=None, show_header=False)
    for name in ("product_id", "title", "brand", "category", "url", "updated_at", "synced_at"):
        facts.add_row(name, str(getattr(one, name) or ""))
    facts.add_row("price, stock", "  ".join(_sold(one)))
    facts.add_row("attributes", "; ".join(f"{name}={value}" for name, value in one.attributes.items()))
    console.print(facts)
    if one.variants:
        variants = Table(box=None, header_style="bold", title="variants", title_justify="left")
        for name in ("sku", "title", "attributes", "price", "stock"):
            variants.add_column(name, overflow="fold")
        for v in one.variants:
            attributes = "; ".join(f"{name}={value}" for name, value in v.attributes.items())
            variants.add_row(v.sku, v.title, attributes, *(("" if x is None else str(x)) for x in (v.price, v.stock)))
        console.print(variants)
    for row in pictures:
        console.print(f"picture {row['position'] + 1}  {row['state']}  {row['url']}  {row['reason'] or ''}")


def _account(here: bootstrap.Services, channel: str, name: str | None) -> tuple[str, str]:
    """The account meant; raises ConfigError naming those that there are."""
    accounts = here.settings.accounts
    known = ", ".join(f"{a.channel}/{a.name}" for a in accounts) or "none"
    if name is None:
        mine = [a for a in accounts if a.channel == channel]
        if len(mine) != 1:
            raise ConfigError(f"say which account with --account; known: {known}")
        return mine[0].channel, mine[0].name
    if here.settings.account(channel, name) is None:
        raise ConfigError(f"unknown account {channel}/{name}; known: {known}")
    return channel, name
