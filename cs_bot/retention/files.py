"""Removing a picture: its row and its file, when nothing refers to it any more."""

from cs_bot.store.database import Database
from cs_bot.store.media import MediaStore
from cs_bot.store.queries import forgetting


def remove_picture(database: Database, media: MediaStore, picture_id: int) -> tuple[str, str] | None:
    """Remove it unless it is used; its SHA-256, of bytes and of pixels, when it was removed.

    One picture a transaction: the store may be slow.

    The file goes first, under the row's lock. A fetch of the same bytes waits for that lock and then writes the file
    again; a crash in between leaves a row without a file that nothing refers to, which the next pass removes.
    """
    with database.write() as tx:
        names = forgetting.lock_unused_picture(tx, picture_id)
        if names is None:
            return None
        media.remove(names[0])
        forgetting.drop_picture(tx, picture_id)
    return names
