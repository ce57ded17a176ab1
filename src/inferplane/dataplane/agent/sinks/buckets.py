"""Events to objects in a bucket (`s3://`, `gs://`, `abfs://`): one for each batch, named as KServe names them."""

import asyncio
from collections.abc import Sequence

from inferplane.dataplane.agent.events import Event
from inferplane.dataplane.agent.records import key
from inferplane.dataplane.agent.settings import StoreSettings
from inferplane.dataplane.agent.sinks.marshalling import Marshaller
from inferplane.dataplane.agent.sinks.sink import Batch, Refused, Unavailable
from inferplane.dataplane.storage.errors import Interrupted, StorageError, shown
from inferplane.dataplane.storage.uploads import Uploads


class BucketSink:
    senders = 2

    def __init__(self, url: str, store: StoreSettings, marshaller: Marshaller, uploads: Uploads) -> None:
        self.name = shown(url)
        self.batch = Batch(store.batch_size, store.batch_size, store.batch_interval, apart=True)
        self._url = url
        self._path = store.path
        self._marshaller = marshaller
        self._uploads = uploads

    async def send(self, events: Sequence[Event]) -> None:
        content, extension, kind = await self._marshaller.file(events)
        name = key(self._url, self._path, events[0], extension)
        try:
            await asyncio.to_thread(self._uploads.put, name, content, kind)
        except Interrupted as error:
            raise Unavailable(str(error)) from error
        except StorageError as error:
            raise Refused(str(error)) from error

    async def close(self) -> None:
        await self._marshaller.close()
