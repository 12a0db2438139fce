"""Each safety rule of the chain has a unit test that fails without it.

The sources are copied, one rule is taken out of the copy, and the unit tests of the
chain and of the object sink are built and run with it: one of them must fail. The same
build without a change must pass, or the test would prove nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = (
    "test_chain",
    "test_chain_owner",
    "test_chain_seal",
    "test_objects",
    "test_deadletter",
)
MANIFEST = ("test_manifest",)


@dataclass(frozen=True)
class Mutant:
    """A rule, the file of csrc/runtime it is in, and how it is taken out."""

    rule: str
    file: str
    before: str
    after: str
    programs: tuple[str, ...] = PROGRAMS


MUTANTS = [
    Mutant(
        "1: the winner's root is used",
        "chain_root.c",
        "    } else if (rc == PST_E_EXISTS) {",
        "    } else if (rc == PST_E_EXISTS && (*out = json_incref(fresh))) {\n"
        "        rc = PST_OK;\n    } else if (rc == PST_E_EXISTS) {",
    ),
    Mutant(
        "1: a later partition starts at 0",
        "chain_root.c",
        "if (chain->partition >= first_partitions_n)",
        "if (first_partitions_n < 0)",
    ),
    Mutant(
        "1: the cluster is the root's",
        "chain_root.c",
        'if (!pst_sv_is(pst_sv_of(text_of(json, "cluster")), chain->conf->cluster))',
        "if (!json)",
    ),
    Mutant(
        "2: the key is the chain's position",
        "chain_append.c",
        "rc = pst_chain_key(chain, chain->pos, window->next, key, err);",
        "rc = pst_chain_key(chain, window->last.offset, window->next, key, err);",
    ),
    Mutant(
        "3: created conditionally",
        "chain_append.c",
        ".create_only = conf->conditional,",
        ".create_only = false,",
    ),
    Mutant(
        "4: only mine is adopted",
        "chain_recover.c",
        "    if (!ours)\n        return pst_fail(err, PST_E_CHAIN,\n"
        '                        "%s was written by',
        "    if (false)\n        return pst_fail(err, PST_E_CHAIN,\n"
        '                        "%s was written by',
    ),
    Mutant(
        "5: an unknown outcome moves nothing",
        "chain_append.c",
        "    if (rc == PST_OK) {\n"
        "        pst_chain_move_to(chain, window->next, window->last);",
        "    if (rc == PST_OK || put_err.unknown) {\n        rc = PST_OK;\n"
        "        pst_chain_move_to(chain, window->next + 1, window->last);",
    ),
    Mutant(
        "6: the position is kept in the commit",
        "chain_key.c",
        "             (long long)chain->pos, (long long)last->offset,",
        "             (long long)last->offset + 1, (long long)last->offset,",
    ),
    Mutant(
        "7: a rewound group stops",
        "chain_recover.c",
        "if (committed != PST_OFFSET_NONE && !ours && committed < end)",
        "if (false)",
    ),
    Mutant(
        "manifest: nothing follows a window that is not whole",
        "chain_files.c",
        "if (rc == PST_OK && pst_files_missing(found->files) < 0) {",
        "if (rc == PST_OK) {",
        MANIFEST,
    ),
    Mutant(
        "manifest: its plan says where a row belongs",
        "objects_routed.c",
        "pst_file *file = pst_files_of(part->plan->files, msg->offset);",
        "pst_file *file = part->plan->files->at[0];",
        MANIFEST,
    ),
    Mutant(
        "manifest: an object of another batch is not its own",
        "chain_files.c",
        "if (batch && strcmp(batch, window->batch) == 0)",
        "if (batch || window)",
        MANIFEST,
    ),
    Mutant(
        "manifest: other settings complete nothing",
        "chain_files.c",
        "strcmp(found->schema, chain->conf->schema) != 0",
        "strcmp(found->schema, chain->conf->schema) > 1000",
        MANIFEST,
    ),
    Mutant(
        "7: objects after the commit count",
        "chain_recover.c",
        "    chain->pos = object.next;\n",
        "",
    ),
    Mutant(
        "8: the end lies within the log",
        "chain_recover.c",
        "if (known <= high)",
        "if (known <= high || known)",
    ),
    Mutant(
        "8: the last record is compared",
        "objects.c",
        "        pst_chain_fingerprint(msg) == check.crc32c)",
        "        (pst_chain_fingerprint(msg) == check.crc32c || true))",
    ),
    Mutant(
        "9: the sleeper asks",
        "chain_append.c",
        "if (!host || slept <= chain->conf->session_timeout_ms)",
        "if (!host || slept)",
    ),
    Mutant(
        "9: an answer is as old as its question",
        "chain_append.c",
        "pst_chain_confirm(chain, now);",
        "pst_chain_confirm(chain, pst_mono_ms(chain->conf->clock));",
    ),
    Mutant(
        "9: a sleeper knows the layout in the commit",
        "chain_append.c",
        "pos > chain->pos || moved ||",
        "pos > chain->pos || (moved && false) ||",
    ),
    Mutant(
        "9: an answer from before the refusal confirms nothing",
        "chain_append.c",
        "asked_ms > atomic_load(&chain->distrusted_ms)",
        "(asked_ms > atomic_load(&chain->distrusted_ms) || asked_ms)",
    ),
    Mutant(
        "10: a layout of a later version is not passed over",
        "chain_place.c",
        'return strstr(text, " layout=") &&',
        'return strstr(text, " layout=none") &&',
    ),
    Mutant(
        "10: nothing lies ahead in the layout to be entered",
        "chain_seal.c",
        "    return pst_chain_check_ahead(chain, err);",
        "    return rc;",
    ),
    Mutant(
        "10: the old layout is sealed",
        "chain_append.c",
        "    if (!planned && pst_chain_is_elsewhere(chain))\n"
        "        return pst_chain_seal(chain, window, dated_ms, outcome, err);\n",
        "    pst_place_of_conf(chain->conf, &chain->at);\n",
    ),
    Mutant(
        "10: the seal is created conditionally",
        "chain_seal.c",
        ".create_only = conf->conditional,",
        ".create_only = false,",
    ),
    Mutant(
        "10: the seal is at the chain's end",
        "chain_seal.c",
        "pst_rc rc = pst_chain_next_key(chain, window, chain->pos, key, err);",
        "pst_rc rc = pst_chain_key(chain, window->next, window->next, key, err);",
    ),
    Mutant(
        "10: who meets a seal for another layout stops",
        "chain_seal.c",
        "if (pst_place_same(&to, &wanted))",
        "if (pst_place_same(&to, &to))",
    ),
    Mutant(
        "10: a layout that was left is not gone back to",
        "chain_seal.c",
        "if (used && !(from && strcmp(from, at) == 0))",
        "if (used && false)",
    ),
    Mutant(
        "10: no layout is left before it has an object",
        "chain_seal.c",
        "if (chain->since == chain->pos)",
        "if (chain->since > chain->pos)",
    ),
    Mutant(
        "10: recovery follows the seal",
        "chain_recover.c",
        "        rc = follow_seal(chain, &object, &more, err);",
        "        more = false;",
    ),
    Mutant(
        "10: the commit names the layout",
        "chain_recover.c",
        "        chain->at = *named;",
        "        known = true;",
    ),
    Mutant(
        "10: the new layout is committed before an object",
        "objects_commit.c",
        "    part->commit_first = part->objects->host != NULL;",
        "    part->commit_first = false;",
    ),
    Mutant(
        "10: an older commit's answer is not taken for it",
        "objects_commit.c",
        "           strcmp(tp->metadata, part->commit_metadata) == 0;",
        "           *tp->metadata;",
    ),
    Mutant(
        "10: the new folder is looked at again before the seal",
        "chain_seal.c",
        "    rc = look_again(chain, window, key, to, &there, outcome, err);",
        "    there = false;",
    ),
    Mutant(
        "10: links of a later layout have their own folder",
        "chain_key.c",
        "    if (!chain->at.first)\n",
        "    if (chain->at.first && !*dir)\n",
    ),
    Mutant(
        "11: dead letters before the PUT",
        "objects_upload.c",
        "        !pst_window_settled(&part->line->window))",
        "        pst_window_settled(NULL) == false)",
    ),
    Mutant(
        "11: dead letters before the commit of a window without rows",
        "objects.c",
        "!part->in_flight && pst_window_settled(part->open))",
        "!part->in_flight)",
    ),
    Mutant(
        "11: a dead letter that fails takes its window back",
        "objects_letters.c",
        "        why = pst_letters_failed(part->open->letters);",
        "        why = NULL;",
    ),
]


def build_and_run(folder: Path, program: str) -> bool:
    """Build one unit test with the copy and run it. True if it passes.

    The chain and the object sink are the copy's; all else is the library's.
    """
    library = ROOT / "build/libpenstock.a"
    assert library.exists(), "run `make lib`"
    sources = [
        folder / "tests/unit" / f"{program}.c",
        *sorted(folder.glob("csrc/runtime/chain*.c")),
        *sorted(folder.glob("csrc/runtime/objects*.c")),
        library,
    ]
    output = folder / program
    built = subprocess.run(
        ["cc", "-std=c11", "-O0", "-w", "-D_GNU_SOURCE", f"-I{folder}/csrc",
         f"-I{folder}", f"-I{folder}/tests/unit", *map(str, sources), "-lrdkafka",
         "-lcurl", "-lcrypto", "-lz", "-lzstd", "-ljansson", "-lcmocka", "-lm", "-ldl",
         "-pthread", "-o", str(output)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    try:
        ran = subprocess.run([output], capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def copy_sources(folder: Path) -> None:
    """The chain, the object sink and their tests; of the rest, the headers."""
    shutil.copytree(ROOT / "csrc", folder / "csrc", ignore=shutil.ignore_patterns("*.o"))
    shutil.copytree(ROOT / "tests/unit", folder / "tests/unit")


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS + MANIFEST)
def test_the_rules_as_they_are_pass(program: str, tmp_path: Path) -> None:
    copy_sources(tmp_path)
    assert build_and_run(tmp_path, program)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_rule_dropped_fails_a_test(mutant: Mutant, tmp_path: Path) -> None:
    copy_sources(tmp_path)
    path = tmp_path / "csrc/runtime" / mutant.file
    text = path.read_text()
    assert text.count(mutant.before) == 1, f"{mutant.file} has changed: mend the mutant"
    path.write_text(text.replace(mutant.before, mutant.after))
    assert not all(build_and_run(tmp_path, program) for program in mutant.programs)
