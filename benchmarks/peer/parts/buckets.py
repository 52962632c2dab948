"""How long a bucket of many small objects takes: the first time, in vain, and after one of them changed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peer.bench import Bench
from benchmarks.peer.fetching import fetching
from benchmarks.peer.figures import Row

WARM = "s3://bucket/warm"


def take(bench: Bench) -> Iterator[Row]:
    """Both, one after the other at each step, from a server on this machine."""
    # The server wants what only those who change flowsource have.
    from benchmarks.bucket_serving import URL, content, key, serving

    place = bench.fresh("buckets")
    with serving(bench.size.objects) as bucket:
        # The server does much at its first request, and an import is quicker once its files were read.
        bucket.put("warm/0.py", content(0))
        for product in bench.products:
            with fetching(product, place / f"warm-{product.module}", "bucket", WARM, bucket.settings) as warm:
                warm.fetch()
        sides = [(product, place / product.module) for product in bench.products]
        with (
            fetching(*sides[0], "bucket", URL, bucket.settings) as ours,
            fetching(*sides[1], "bucket", URL, bucket.settings) as peer,
        ):
            for number, step in enumerate(("first fetch", "a poll in vain", "one object changed")):
                if step == "one object changed":
                    bucket.put(key(0), content(number))
                took, asked = [], []
                for side in (ours, peer):
                    bucket.requests()
                    took.append(side.fetch())
                    asked.append(float(sum(bucket.requests().values())))
                of = f"bucket of {bench.size.objects:,} objects: {step}"
                yield Row(what=of, unit="s", ours=took[:1], peer=took[1:])
                yield Row(what=of, unit="requests", ours=asked[:1], peer=asked[1:])
