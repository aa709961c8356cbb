"""What the store takes, keeps and answers: the real controller behind TLS, traffic from a seed, and a plain
row-per-span RocksDB layout beside it.

Prints one JSON object on standard output; docs/store_bench.md says what each figure is. Traffic is made and encoded
before it is sent, by a process of its own; what is acknowledged is compared with what was made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kindling import Program, read_cost
from overhead import machine, say
from servers import free_port

PROGRAMS = ("make_load", "send_load", "query_load", "row_store", "store_probe")
WINDOW_S = 900  # of a search
MAP_S = 3600
STEP_S = 10
PACED_SHARE = 0.4  # of what was reached: acknowledgements are timed where the controller is not saturated
HISTOGRAMS_BESIDE = 30_000  # a second
COMPACT_TIMEOUT_S = 1800
MAX_BYTES = 64 << 30


def ms(values: list[float], q: float) -> float | None:
    ordered = sorted(values)
    return round(ordered[int(q * (len(ordered) - 1) + 0.5)], 3) if ordered else None


def ratio(ours: float | None, other: float | None, digits: int = 3) -> float | None:
    return round(ours / other, digits) if ours is not None and other else None


def parse_count(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", text.lower())
    if not match:
        raise argparse.ArgumentTypeError(f"not a number of spans: {text}")
    return int(float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2]])


def make_certificates(root: Path) -> None:
    """A CA and a certificate of 127.0.0.1 signed by it."""
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, cwd=root, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem")
    (root / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "extensions", "-out", "cert.pem")


@dataclass
class Load:
    path: Path
    made: dict[str, Any]

    def sizes(self) -> dict[str, int]:
        return {kind: self.made[kind] for kind in ("spans", "histograms", "points")}


class Store:
    """A controller with a store of its own."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench = bench
        self.root = bench.root / name
        self.root.mkdir()
        self.peak_rss_mb = 0.0
        self.cpu_s = 0.0
        self._start()

    def _start(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        config = {
            "listen": self.address,
            "tls": {"certificate_file": str(self.bench.root / "cert.pem"), "key_file": str(self.bench.root / "key.pem")},
            "data_directory": str(self.root / "data"),
            "storage": {"max_bytes": MAX_BYTES},
        }
        (self.root / "controller.yaml").write_text(json.dumps(config))  # JSON is YAML
        self.program = Program("kindling-controller", [
            str(self.bench.bin_dir / "kindling-controller"), "--config", str(self.root / "controller.yaml"),
            "--log-level", "warning"], self.root / "log", cpu=None)

    def note_cost(self) -> None:
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        self.peak_rss_mb = max(self.peak_rss_mb, int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024)

    def stop(self) -> None:
        self.note_cost()
        self.program.stop()

    def remove(self) -> None:
        self.stop()
        self.bench.peak_rss_mb = max(self.bench.peak_rss_mb, self.peak_rss_mb)
        shutil.rmtree(self.root)

    def send(self, *loads: tuple[Load, float | None], seconds: float | None = None) -> dict[str, Any]:
        """Loads with their rates, items a second; None: as fast as it goes. All must be acknowledged."""
        command = [str(self.bench.bin_dir / "send_load"), "--address", self.address, "--ca",
                   str(self.bench.root / "ca.pem")]
        for number, (load, rate) in enumerate(loads):
            command += ["--load", f"{load.path},name=a{number}-" + (f",rate={rate}" if rate else "")]
        if seconds:
            command += ["--seconds", str(seconds)]
        before = read_cost(self.program.pid).cpu_ns
        report = json.loads(self.bench.run(*command))
        report["controller_cpu_seconds"] = round((read_cost(self.program.pid).cpu_ns - before) / 1e9, 3)
        report["sender_cpu_share"] = round(
            report["sender_cpu_seconds"] / max(1e-9, report["sender_cpu_seconds"] + report["controller_cpu_seconds"]), 4)
        for (load, _), part in zip(loads, report["loads"]):
            got = {kind: part[kind] for kind in ("spans", "histograms", "points")}
            if not seconds and got != load.sizes():
                raise SystemExit(f"sent {load.sizes()}, acknowledged {got}")
        self.note_cost()
        return report

    def _ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bench.bin_dir / "kindlingctl"), "--controller", self.address, "--ca-file",
             str(self.bench.root / "ca.pem"), "--timeout", f"{COMPACT_TIMEOUT_S}s", *arguments],
            capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any] | None:
        """None: this kindlingctl has no such command."""
        done = self._ctl("-o", "json", "store", "status")
        if done.returncode == 2:
            return None
        if done.returncode != 0:
            raise SystemExit(f"kindlingctl store status: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def settle(self) -> dict[str, Any]:
        """Seals and merges everything; bytes by record class, and all."""
        began = time.monotonic()
        if self.status() is None:
            self.stop()
            out = json.loads(self.bench.run(str(self.bench.bin_dir / "store_probe"), "--directory",
                                            str(self.root / "data" / "store"), "--max-bytes", str(MAX_BYTES), "--compact",
                                            "yes"))
            total = disk_bytes(self.root / "data")
            self._start()
            return out | {"total": total, "seconds": round(time.monotonic() - began, 2)}
        cpu = read_cost(self.program.pid).cpu_ns
        done = self._ctl("store", "compact")
        if done.returncode != 0:
            raise SystemExit(f"kindlingctl store compact: {done.stderr.strip()}")
        status = self.status() or {}
        by_class: dict[str, int] = {}
        for bucket in status.get("buckets", []):
            name = bucket["recordClass"]
            by_class[name] = by_class.get(name, 0) + int(bucket.get("bytes", 0))
        sealing_s = (read_cost(self.program.pid).cpu_ns - cpu) / 1e9
        # A running store also has its log, of what was not written to files yet: a bounded piece, not a record's.
        self.stop()
        total = disk_bytes(self.root / "data")
        self._start()
        return {
            "total": total,
            "by_class": by_class,
            "blocks": sum(int(bucket.get("blocks", 0)) for bucket in status.get("buckets", [])),
            "buckets": len(status.get("buckets", [])),
            "write_stalls": int(status.get("writeStalls", 0)),
            "memory_bytes": int(status.get("memoryBytes", 0)),
            "memory_limit_bytes": int(status.get("memoryLimitBytes", 0)),
            "seconds": round(time.monotonic() - began, 2),
            "cpu_seconds": round(sealing_s, 2),
        }

    def ask(self, questions: list[str]) -> dict[str, dict[str, Any]]:
        file = self.root / "questions"
        file.write_text("\n".join(questions) + "\n")
        before = read_cost(self.program.pid).cpu_ns
        answers = json.loads(self.bench.run(
            str(self.bench.bin_dir / "query_load"), "--address", self.address, "--ca", str(self.bench.root / "ca.pem"),
            "--queries", str(file)))
        say(f"  {len(questions)} questions, {(read_cost(self.program.pid).cpu_ns - before) / 1e9:.1f} s of processor")
        for label, answer in answers.items():
            if answer["errors"]:
                say(f"  {label}: {answer['errors']} errors: {answer['error']}")
        self.note_cost()
        return answers


def disk_bytes(directory: Path) -> int:
    """Without RocksDB's own text log."""
    return sum(file.stat().st_size for file in directory.rglob("*")
               if file.is_file() and not file.name.startswith("LOG"))


@dataclass
class Samples:
    """What is in a load, to ask for."""

    rows: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Samples:
        rows = []
        for line in path.read_text().splitlines():
            fields = line.split("\t")
            rows.append(dict(zip(fields[::2], fields[1::2])))
        return cls(rows)

    def values(self, name: str) -> list[str]:
        return [row[name] for row in self.rows if name in row]

    def latency(self, q: float) -> int:
        values = sorted(int(row["latency"]) for row in self.rows)
        return values[int(q * (len(values) - 1))]


class Bench:
    def __init__(self, arguments: argparse.Namespace, root: Path) -> None:
        self.arguments = arguments
        self.bin_dir: Path = arguments.bin_dir.resolve()
        self.root = root
        self.peak_rss_mb = 0.0
        self._loads = 0
        make_certificates(root)

    def run(self, *command: str) -> str:
        done = subprocess.run(["setpriv", "--pdeathsig", "TERM", *command], stdout=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode != 0:
            raise SystemExit(f"{command[0]} ended with status {done.returncode}")
        return done.stdout

    def make(self, content: str, count: int, span_s: float, *extra: str) -> Load:
        """A load whose time ends about now: `span_s` is how long its traffic lasts."""
        self._loads += 1
        path = self.root / f"{self._loads}-{content}.load"
        start_s = int(time.time() - span_s) // STEP_S * STEP_S
        began = time.monotonic()
        made = json.loads(self.run(
            str(self.bin_dir / "make_load"), "--out", str(path), "--samples", f"{path}.samples", "--content", content,
            "--count", str(count), "--start-ns", str(start_s * 10**9), "--seed", str(self.arguments.seed), "--services",
            str(self.arguments.services), "--hosts", str(self.arguments.hosts), "--rate",
            str(self.arguments.spans_per_second), *extra))
        say(f"made {content}: {made['spans']} spans, {made['histograms']} histograms, {made['points']} points, "
            f"{made['bytes'] / 1e6:.0f} MB in {time.monotonic() - began:.0f} s")
        return Load(path, made)

    def spans(self, content: str, count: int, *extra: str) -> Load:
        return self.make(content, count, count / self.arguments.spans_per_second + 2 * STEP_S, *extra)

    def drop(self, load: Load) -> None:
        load.path.unlink()
        Path(f"{load.path}.samples").unlink(missing_ok=True)

    # The phases. Each has a store of its own.

    def ingest(self, name: str, load: Load, kind: str) -> dict[str, Any]:
        """One class of records as fast as it goes, and what it takes on disk."""
        store = Store(self, name)
        sent = store.send((load, None))
        settled = store.settle()
        store.remove()
        count = load.made[kind]
        part = sent["loads"][0]
        result = {
            kind: count,
            "per_s": part[f"{kind}_per_s"],
            "seconds": part["seconds"],
            "longest_pause_ms": part["longest_pause_ms"],
            "controller_cpu_us": round(1e6 * sent["controller_cpu_seconds"] / count, 3),
            "sealing_cpu_us": round(1e6 * settled.get("cpu_seconds", 0) / count, 3),
            "sender_cpu_share": sent["sender_cpu_share"],
            "wire_bytes": round(load.made["bytes"] / count, 2),
            "bytes": round(settled["total"] / count, 3),
            "settled": settled,
            "rss_mb": round(store.peak_rss_mb, 1),
        }
        say(f"{name}: {result['per_s']:.0f}/s, {result['controller_cpu_us']} us of the controller's processor each, "
            f"{result['bytes']} bytes each")
        return result

    def acknowledge(self, spans: Load, histograms: Load, rate: float) -> dict[str, Any]:
        """Spans at full speed beside histograms at a fixed rate; then spans at a fixed rate."""
        store = Store(self, "beside")
        sent = store.send((spans, None), (histograms, HISTOGRAMS_BESIDE), seconds=self.arguments.seconds)
        store.remove()
        beside = {
            "spans_per_s": sent["loads"][0]["spans_per_s"],
            "histograms_per_s": sent["loads"][1]["histograms_per_s"],
            "histograms_ack_p99_ms": sent["loads"][1]["ack_p99_ms"],
            "controller_cpu_seconds": sent["controller_cpu_seconds"],
            "seconds": sent["wall_seconds"],
        }
        store = Store(self, "paced")
        paced = store.send((spans, PACED_SHARE * rate), seconds=self.arguments.seconds)["loads"][0]
        store.remove()
        say(f"beside histograms: {beside['spans_per_s']:.0f} spans/s; paced: acknowledged in "
            f"{paced['ack_p99_ms']} ms (p99)")
        return {"beside": beside, "paced": paced}

    def questions(self, load: Load) -> tuple[list[str], list[str]]:
        """For the controller, and the same for the baseline."""
        samples = Samples.read(Path(f"{load.path}.samples"))
        chance = random.Random(self.arguments.seed)
        end = load.made["end_ns"]
        window = f"spans\t{end - WINDOW_S * 10**9}\t{end}"
        n = self.arguments.questions
        ours: list[str] = []
        rows: list[str] = []
        services = samples.values("service")
        # Half as popular as they are, half whichever.
        for service in chance.choices(services, k=n // 2) + chance.choices(sorted(set(services)), k=n // 2):
            ours.append(f'service\t{window}\tnewest\t100\tservice="{service}"')
            rows.append(f"service\tservice\t{service}")
        for number in range(n):
            latency = samples.latency((0.5, 0.9, 0.99, 0.999)[number % 4]) + number
            order = ("newest", "slowest")[number // 4 % 2]
            ours.append(f"duration\t{window}\t{order}\t100\tlatency>{latency / 1e6:.6f}ms")
            rows.append(f"duration\tduration\t{latency}")
        for number in range(n):
            name = ("attr.enduser.id", "attr.url.path", "attr.db.statement")[number % 3]
            value = chance.choice(samples.values(name))
            ours.append(f'attribute\t{window}\tnewest\t100\t{name}="{value}"')
            rows.append(f"attribute\tattribute\t{name.removeprefix('attr.')}\t{value}")
        for row in chance.choices(samples.rows, k=n):
            ours.append(f"trace\ttrace\t{row['trace']}")
            rows.append(f"trace\ttrace\t{row['trace']}")
        both = list(zip(ours, rows))
        chance.shuffle(both)
        return [one for one, _ in both], [row for _, row in both]

    def grow(self, count: int) -> dict[str, Any]:
        """Spans with the sums of the same calls, searched."""
        load = self.spans("both", count)
        store = Store(self, f"grow-{count}")
        sent = store.send((load, None))
        settled = store.settle()
        ours, rows = self.questions(load)
        answers = store.ask(ours)
        search = {kind: answers[kind] for kind in ("service", "duration", "attribute")}
        pooled = [value for answer in search.values() for value in answer["ms"]]
        part = sent["loads"][0]
        result: dict[str, Any] = {
            "spans": part["spans"],
            "histograms": part["histograms"],
            "ingest_seconds": part["seconds"],
            "ingest_spans_per_s": part["spans_per_s"],
            "controller_cpu_seconds": sent["controller_cpu_seconds"],
            "longest_pause_ms": part["longest_pause_ms"],
            "disk_mb": round(settled["total"] / 1e6, 1),
            "settled": settled,
            "search_p50_ms": {kind: ms(answer["ms"], 0.5) for kind, answer in search.items()} | {"all": ms(pooled, 0.5)},
            "search_p99_ms": {kind: ms(answer["ms"], 0.99) for kind, answer in search.items()}
            | {"all": ms(pooled, 0.99)},
            "trace_p50_ms": ms(answers["trace"]["ms"], 0.5),
            "trace_p99_ms": ms(answers["trace"]["ms"], 0.99),
            "trace_rows": round(answers["trace"]["rows"] / max(1, len(answers["trace"]["ms"])), 2),
            "unanswered": {kind: answer["error"] for kind, answer in answers.items() if answer["errors"]},
            "empty_answers": sum(answer["empty"] for answer in answers.values()),
            "rss_mb": round(store.peak_rss_mb, 1),
        }
        result["drop_bucket"] = self.drop_bucket(store, rows)
        result["in_store"] = result["drop_bucket"].pop("queries")
        result["rss_mb"] = round(store.peak_rss_mb, 1)
        shutil.rmtree(store.root)
        self.bench_peak(store)
        say(f"{count} spans: search p99 {result['search_p99_ms']['all']} ms, trace p99 {result['trace_p99_ms']} ms, "
            f"{result['rss_mb']} MB resident")
        self.drop(load)
        return result

    def bench_peak(self, store: Store) -> None:
        self.peak_rss_mb = max(self.peak_rss_mb, store.peak_rss_mb)

    def drop_bucket(self, store: Store, questions: list[str]) -> dict[str, Any]:
        """The store itself, without controller: the questions, then retention of the oldest bucket beside appends."""
        store.stop()
        file = self.root / "store-questions"
        file.write_text("\n".join(questions) + "\n")
        # Of a later bucket, so that it is not late.
        load = self.make("spans", min(self.arguments.base_spans, 200_000), -2 * MAP_S, "--epoch", str(time.time_ns()))
        out = json.loads(self.run(str(self.bin_dir / "store_probe"), "--directory", str(store.root / "data" / "store"),
                                  "--load", str(load.path), "--queries", str(file), "--max-bytes", str(MAX_BYTES)))
        self.drop(load)
        return out

    def map(self) -> dict[str, Any]:
        """The service map of an hour."""
        load = self.make("edges", 0, MAP_S + STEP_S, "--windows", str(MAP_S // STEP_S), "--rate",
                         str(self.arguments.map_calls_per_second))
        store = Store(self, "map")
        sent = store.send((load, None))
        settled = store.settle()
        end = load.made["start_ns"] + MAP_S * 10**9
        hour = f"{end - MAP_S * 10**9}\t{end}\t"
        answers = store.ask([f"map\tedges\t{hour}"] * max(5, self.arguments.questions // 10))
        store.remove()
        self.drop(load)
        return {
            "histograms": load.made["histograms"],
            "series": load.made["edge_series"],
            "histograms_per_s": sent["loads"][0]["histograms_per_s"],
            "p50_ms": ms(answers["map"]["ms"], 0.5),
            "p99_ms": ms(answers["map"]["ms"], 0.99),
            "edges": answers["map"]["rows"] // max(1, len(answers["map"]["ms"])),
            "answer_bytes": answers["map"]["bytes"] // max(1, len(answers["map"]["ms"])),
            "error": answers["map"]["error"],
            "settled": settled,
        }

    def baseline(self, load: Load) -> dict[str, Any]:
        _, rows = self.questions(load)
        file = self.root / "row-questions"
        file.write_text("\n".join(rows) + "\n")
        directory = self.root / "rows"
        out = json.loads(self.run(str(self.bin_dir / "row_store"), "--directory", str(directory), "--load",
                                  str(load.path), "--queries", str(file), "--window-s", str(WINDOW_S)))
        shutil.rmtree(directory)
        say(f"baseline: {out['spans_per_s']:.0f} spans/s, {out['bytes_per_span']} bytes a span")
        return out

    def searched(self, load: Load) -> dict[str, Any]:
        """The baseline's load in the real store: the same spans, the same questions."""
        store = Store(self, "searched")
        store.send((load, None))
        store.settle()
        ours, _ = self.questions(load)
        answers = store.ask(ours)
        store.remove()
        return {kind: {"p50_ms": ms(answer["ms"], 0.5), "p99_ms": ms(answer["ms"], 0.99), "rows": answer["rows"]}
                for kind, answer in answers.items()}


def measure(bench: Bench) -> dict[str, Any]:
    arguments = bench.arguments
    sizes: list[int] = arguments.spans
    base = min(max(sizes), arguments.base_spans)
    spans = bench.spans("spans", base)
    ingest = bench.ingest("spans", spans, "spans")
    foreign_load = bench.spans("spans", base, "--foreign", "1")
    foreign = bench.ingest("foreign", foreign_load, "spans")
    bench.drop(foreign_load)
    histogram_load = bench.make("edges", base, base / arguments.spans_per_second + 2 * STEP_S)
    histograms = bench.ingest("histograms", histogram_load, "histograms")
    # One series has a point each 10 s: an hour and more of each.
    series = max(bench.arguments.hosts, base * 4 // 720)
    point_load = bench.make("points", base * 4, base * 4 / series * STEP_S, "--series", str(series))
    points = bench.ingest("points", point_load, "points")
    acknowledged = bench.acknowledge(spans, histogram_load, ingest["per_s"])
    baseline = bench.baseline(spans)
    searched = bench.searched(spans)
    for load in (point_load, histogram_load, spans):
        bench.drop(load)
    growth = [bench.grow(size) for size in sizes]
    service_map = bench.map()
    last = growth[-1]
    rows = baseline["queries"]
    return {
        "ingest_spans_per_s": ingest["per_s"],
        "ingest_spans_per_s_beside_histograms": acknowledged["beside"]["spans_per_s"],
        "ingest_points_per_s": points["per_s"],
        "ingest_histograms_per_s": histograms["per_s"],
        "bytes_per_span": ingest["bytes"],
        "bytes_per_span_foreign_ids": foreign["bytes"],
        "bytes_per_point": points["bytes"],
        "bytes_per_histogram_point": histograms["bytes"],
        "search_p50_ms": last["search_p50_ms"],
        "search_p99_ms": last["search_p99_ms"],
        "trace_p99_ms": last["trace_p99_ms"],
        "map_ms": service_map["p50_ms"],
        "drop_bucket_ms": last["drop_bucket"]["drop_bucket_ms"],
        "ack_p50_ms": acknowledged["paced"]["ack_p50_ms"],
        "ack_p99_ms": acknowledged["paced"]["ack_p99_ms"],
        "rss_mb": round(bench.peak_rss_mb, 1),
        "ratios": {
            "ingest_rate": ratio(ingest["per_s"], baseline["spans_per_s"]),
            "bytes_per_span": ratio(ingest["bytes"], baseline["bytes_per_span"], 4),
            **{f"{kind}_p50": ratio(searched[kind]["p50_ms"], rows[kind]["p50_ms"], 4)
               for kind in ("service", "duration", "attribute", "trace")},
        },
        "baseline": baseline,
        "growth": growth,
        "phases": {
            "spans": ingest,
            "foreign": foreign,
            "histograms": histograms,
            "points": points,
            "acknowledged": acknowledged,
            "searched": searched,
            "map": service_map,
        },
        "traffic": spans.made["options"] | {"seed": arguments.seed},
        "point_traffic": point_load.made["options"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench store", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--spans", help="sizes of the stores that are searched, such as 1m,10m,50m (1m)")
    parser.add_argument("--base-spans", type=parse_count, help="spans of the other phases (1m)")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (1)")
    parser.add_argument("--services", type=int, help="in the traffic (1000)")
    parser.add_argument("--hosts", type=int, help="each with an agent and a stream (50)")
    parser.add_argument("--spans-per-second", type=int,
                        help="of the traffic's own time: 10 million in a search's 15 minutes (11111)")
    parser.add_argument("--questions", type=int, help="of each kind (200)")
    parser.add_argument("--map-calls-per-second", type=int,
                        help="of the hour that the map is drawn from: each is a row or two of its window (300)")
    parser.add_argument("--seconds", type=float, help="at most, of the phases at a fixed rate (20)")
    parser.add_argument("--directory", type=Path, help="for the stores; they are removed afterwards (a temporary one)")
    parser.add_argument("--quick", action="store_true", help="about a minute: shows that it runs, measures little")
    arguments = parser.parse_args()
    small = arguments.quick
    arguments.spans = [parse_count(text) for text in (arguments.spans or ("40k" if small else "1m")).split(",")]
    for name, usual, quick in (("base_spans", 1_000_000, 40_000), ("services", 1000, 100), ("hosts", 50, 4),
                               ("questions", 200, 20), ("spans_per_second", 11_111, 1000), ("map_calls_per_second", 300, 5), ("seconds", 20, 3)):
        if getattr(arguments, name) is None:
            setattr(arguments, name, quick if small else usual)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is removed
    root = Path(tempfile.mkdtemp(prefix="kindling-store-bench-", dir=arguments.directory))
    began = time.monotonic()
    try:
        report = measure(Bench(arguments, root))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    report |= {
        "spans": arguments.spans,
        "base_spans": arguments.base_spans,
        "machine": machine(),
        "kernel": platform.release(),
        "load_average": round(os.getloadavg()[2], 2),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.monotonic() - began),
        "seed": arguments.seed,
    }
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
