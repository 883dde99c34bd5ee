/** Programs for tests: compiled by clang, and the reason where tests with them cannot run. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { NO_NETWORK } from '../../../test/harness/network.ts'
import { loadLibbpf, type Libbpf } from '../libbpf.ts'
import { compile } from '../load/compiling.ts'

const loaded = loadLibbpf()

/** Why nothing can be compiled and read here; false where it can. */
export const NO_PROGRAMS: string | false =
  loaded.kind === 'missing'
    ? loaded.reason
    : spawnSync('clang', ['--version']).error
      ? 'clang is not installed'
      : false

/** The same, with packets. */
export const NO_PACKETS: string | false = NO_PROGRAMS || (NO_NETWORK ?? false)

export function libbpfHere(): Libbpf {
  if (loaded.kind === 'missing') throw new Error(loaded.reason)
  return loaded.libbpf
}

/** A file with a source, which goes with the test. */
export function sourceFile(t: TestContext, source: string, name = 'program.c'): string {
  const directory = mkdtempSync(join(tmpdir(), 'orla-program-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, name)
  writeFileSync(file, source)
  return file
}

export async function compiled(t: TestContext, source: string): Promise<Buffer> {
  return (await compile(sourceFile(t, source))).object
}

export const HEADERS = `
#include <linux/bpf.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";
`
