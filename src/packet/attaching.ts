/**
 * Puts an XDP program on a network interface, or says in a clause why that cannot be.
 *
 * It leaves with the process, also when that is killed: the link belongs to the process alone and is pinned nowhere. What runs on the
 * interface already is never replaced, whoever put it there.
 */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { PacketMode } from '../contract/packet.ts'
import { isEdgeProgram } from './edge-program.ts'
import type { Libbpf, XdpAttached, XdpLink } from './libbpf.ts'
import { BpfFailure } from './libbpf-failure.ts'
import { NO_RIGHTS } from './refusal.ts'

export type WantedMode = PacketMode | 'auto'

export type Attaching =
  /** `note`: why it is not in the driver, where `auto` was asked for. */
  | { readonly kind: 'attached'; readonly link: XdpLink; readonly mode: PacketMode; readonly note?: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** What has to be there: `Libbpf`, or the part of it that a test needs. */
type Kernel = Pick<Libbpf, 'attached' | 'attachXdp' | 'interfaceIndex'>

const refused = (reason: string): Attaching => ({ kind: 'refused', reason })

/** `auto`: in the driver where that can be, else in the network stack. */
export function attach(kernel: Kernel, programFd: number, name: string, wanted: WantedMode): Attaching {
  const index = kernel.interfaceIndex(name)
  if (index === undefined) return refused(noInterface())
  const there = occupant(kernel, index)
  if (there !== undefined) return refused(occupied(there))
  const attempt = (mode: PacketMode): Attaching => {
    try {
      return { kind: 'attached', link: kernel.attachXdp(programFd, index, mode), mode }
    } catch (error) {
      if (!(error instanceof BpfFailure)) throw error
      // Between the question and this, somebody else was faster.
      const now = occupant(kernel, index)
      if (now !== undefined) return refused(occupied(now))
      return refused(error.isRights ? NO_RIGHTS : modeRefused(mode, error))
    }
  }
  if (wanted !== 'auto') return attempt(wanted)
  const native = attempt('native')
  if (native.kind === 'attached') return native
  const generic = attempt('generic')
  return generic.kind === 'attached' ? { ...generic, note: native.reason } : generic
}

/** What runs on an interface; undefined where nothing does, or the kernel does not tell. */
export function occupant(kernel: Pick<Libbpf, 'attached'>, index: number): XdpAttached | undefined {
  try {
    return kernel.attached(index)[0]
  } catch {
    return undefined
  }
}

function occupied({ programName, programId, mode }: XdpAttached): string {
  const which = programName === '' ? `program ${programId}` : `program ${programId}, "${programName}"`
  return isEdgeProgram(programName)
    ? `a packet plane of Orla's is there already (${which}, ${mode}): of another node, or of \`orla packet watch\``
    : `an XDP program of somebody else is there already (${which}, ${mode}), and is not replaced; \`bpftool net\` shows it`
}

function noInterface(): string {
  const names = interfaceNames()
  return names.length === 0
    ? 'there is no such interface'
    : `there is no such interface; there are ${names.join(', ')}`
}

/** All of this network namespace. `os` alone would leave out those without an address. */
function interfaceNames(): readonly string[] {
  try {
    const lines = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2)
    return lines.flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':')).trim()] : []))
  } catch {
    return Object.keys(networkInterfaces())
  }
}

function modeRefused(mode: PacketMode, { message, code }: BpfFailure): string {
  const where = {
    native: 'its driver does not take XDP programs',
    generic: 'the kernel does not take XDP programs here',
    offload: 'its card does not take this program',
  }[mode]
  return code === 'EOPNOTSUPP' || code === 'ENOTSUP' ? where : `${where} (${message.replace(/^.*?: /, '')})`
}
