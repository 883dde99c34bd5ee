/**
 * `node scripts/xdp.ts`: compiles `src/packet/xdp/edge.c` to the object beside it, which is committed, so that a node needs no compiler.
 *
 * The same clang makes the same bytes on any machine: no path and no time gets in. Another clang makes other bytes, so
 * `src/packet/xdp/edge.test.ts` compares what both objects do and not what they are.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../src/packet/xdp/', import.meta.url))
export const EDGE_OBJECT = join(FOLDER, 'edge.o')

/** Where Debian puts bpftool is not on everybody's path. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

const FLAGS = [
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  // Any kernel from 5.10 on knows these instructions.
  '-mcpu=v2',
  // Little endian, as every machine that Node's own programs are made for.
  '-target',
  'bpfel',
  // The types of maps (BTF) come with it. `bpftool gen object` leaves what is for debuggers behind.
  '-g',
  '-fdebug-compilation-dir=.',
]

/** Compiles the program to `object`. Throws with what clang or bpftool said where one fails or is missing. */
export function buildEdge(object: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'orla-xdp-'))
  const compiled = join(folder, 'edge.o')
  try {
    run('clang', [...FLAGS, ...headers(), '-c', 'edge.c', '-o', compiled])
    run('bpftool', ['gen', 'object', object, compiled])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Debian keeps `asm/types.h` in a folder of the machine's kind, where clang does not look for bpf. */
function headers(): string[] {
  const machine = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch as string]
  return machine === undefined ? [] : ['-isystem', `/usr/include/${machine}`]
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { cwd: FOLDER, env: ENVIRONMENT, stdio: ['ignore', 'inherit', 'inherit'] })
}

if (import.meta.main) buildEdge(EDGE_OBJECT)
