/** Programs for tests: compiled by clang, and the reason where tests with them cannot run. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { NO_NETWORK, startWire, type Wire } from '../../../test/harness/network.ts'
import { load, type LoadedProgram, type LoadOptions } from '../index.ts'
import { loadLibbpf, type Libbpf } from '../libbpf.ts'
import { compile } from '../load/compiling.ts'
import { ethernet, ipv4, udp } from './frames.ts'

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

const ENDS = { from: '198.51.100.2', to: '198.51.100.1' }
export const datagram = (port: number, bytes = 10) => ethernet(ipv4(ENDS, udp(port, Buffer.alloc(bytes, 97))))
export const five = Array.from({ length: 5 }, () => datagram(5005))

/** Finds the destination port of a UDP packet over IPv4 without options, else passes. */
export const PORT = `
static __always_inline int port_of(struct xdp_md *ctx) {
  unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  if (data + 42 > end || data[12] != 8 || data[13] != 0 || data[23] != 17) return -1;
  return data[36] << 8 | data[37];
}
`

/** A program on a wire of its own. */
export async function start(
  t: TestContext,
  source: string,
  options: Partial<LoadOptions> = {},
): Promise<{ readonly wire: Wire; readonly program: LoadedProgram }> {
  const wire = await startWire(t)
  const program = await load(sourceFile(t, source), { interface: wire.name, ...options })
  t.after(() => program.close())
  return { wire, program }
}
