/** Real interfaces for tests: a veth pair with one end here and the other in a network namespace of its own; and programs compiled by clang. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why tests with packets cannot run here; false where they can. */
export function packetSkip(): string | false {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  for (const tool of ['ip', 'clang']) {
    if (spawnSync(tool, ['-V']).error) return `needs ${tool}`
  }
  const name = `orla-try-${process.pid}`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return 'needs network namespaces'
  spawnSync('ip', ['netns', 'del', name])
  return false
}

/** Compiles a program for BPF and returns the object file. */
export function compiled(source: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'orla-bpf-'))
  try {
    const [from, to] = [join(directory, 'program.c'), join(directory, 'program.o')]
    writeFileSync(from, source)
    const machine = execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim()
    const headers = `-I/usr/include/${machine}-linux-gnu`
    execFileSync('clang', ['-O2', '-g', '-target', 'bpf', headers, '-c', from, '-o', to], { stdio: 'pipe' })
    return readFileSync(to)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

let made = 0

/** Two interfaces that are one cable. `name` is here, the other end in `namespace`. */
export class VethPair {
  readonly name: string
  readonly namespace: string
  /** The addresses of both ends, a /24 and a /64. */
  readonly here = { v4: '10.201.7.1', v6: 'fd07::1' }
  readonly there = { v4: '10.201.7.2', v6: 'fd07::2' }

  private constructor(name: string, namespace: string) {
    this.name = name
    this.namespace = namespace
  }

  static create(): VethPair {
    made++
    const pair = new VethPair(`ov${process.pid}x${made}`, `orla-${process.pid}-${made}`)
    const { name, namespace, here, there } = pair
    // Without IPv6's own talk, so that counts are those of the test: it is switched on by who needs it.
    ip('netns', 'add', namespace)
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'peer', 'netns', namespace)
    ip('addr', 'add', `${here.v4}/24`, 'dev', name)
    ip('link', 'set', name, 'up')
    pair.inside('ip', 'addr', 'add', `${there.v4}/24`, 'dev', 'peer')
    pair.inside('ip', 'link', 'set', 'lo', 'up')
    pair.inside('ip', 'link', 'set', 'peer', 'up')
    return pair
  }

  /** Runs a program in the namespace. */
  inside(command: string, ...args: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.namespace, command, ...args], { encoding: 'utf8' })
  }

  /** Sends UDP datagrams from the namespace to this end. `bytes` are those of the payload. */
  send({ packets = 1, port = 5005, bytes = 10 }): void {
    const script = `
      const socket = require('node:dgram').createSocket('udp4')
      let left = ${packets}
      const next = () => left-- > 0 ? socket.send(Buffer.alloc(${bytes}, 97), ${port}, '${this.here.v4}', next) : socket.close()
      next()`
    this.inside(process.execPath, '-e', script)
  }

  remove(): void {
    spawnSync('ip', ['link', 'del', this.name])
    spawnSync('ip', ['netns', 'del', this.namespace])
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}
