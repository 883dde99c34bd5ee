/**
 * Makes sure that a port is ours before workers share it.
 *
 * Workers listen with SO_REUSEPORT, and so could a second program of the same user: it would get a share of the
 * connections, and nobody would be told. A bind without that option fails if anybody listens, so it is tried first.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { EdgeError } from '../base/errors.ts'

export interface Address {
  /** Without the brackets of IPv6. */
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`: as the configuration has checked it. */
export function splitAddress(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) }
}

export const joinAddress = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Returns when the address can be bound; throws `port-in-use`, or the system's error, when it cannot. */
export async function probeAddress(text: string): Promise<void> {
  const { host, port } = splitAddress(text)
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, exclusive: true }, resolve)
    })
  } catch (error) {
    throw addressError(error as NodeJS.ErrnoException, text)
  }
  await new Promise<void>((resolve) => void server.close(() => resolve()))
}

/** An error of `listen` in the words of an operator. */
export function addressError(error: NodeJS.ErrnoException, text: string): Error {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES' && error.code !== 'EADDRNOTAVAIL') return error
  const because =
    error.code === 'EACCES'
      ? 'needs more rights than this user has'
      : error.code === 'EADDRNOTAVAIL'
        ? 'is not an address of this machine'
        : `is taken by ${portHolder(splitAddress(text).port) ?? 'a program that this user cannot see'}`
  return new EdgeError('port-in-use', `${text} ${because}`, { cause: error })
}

/** `pid 4711 (nginx: master process)`: the process that listens on a port, where `/proc` shows it. */
export function portHolder(port: number): string | undefined {
  const inodes = listeningInodes(port)
  if (inodes.size === 0) return undefined
  for (const pid of readdirOrEmpty('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    for (const fd of readdirOrEmpty(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkOrEmpty(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode !== undefined && inodes.has(inode)) return describeProcess(Number(pid))
    }
  }
  return undefined
}

/** `pid 4711 (node server.js)`; the command line is cut at 80 characters. */
export function describeProcess(pid: number): string {
  const command = readOrEmpty(`/proc/${pid}/cmdline`)
    .replaceAll(/[\0\s]+/g, ' ')
    .trim()
  return command === '' ? `pid ${pid}` : `pid ${pid} (${command.slice(0, 80)})`
}

/** The inodes of the sockets that listen on a port, over both families. */
function listeningInodes(port: number): Set<string> {
  const LISTEN = '0A'
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = new Set<string>()
  for (const family of ['tcp', 'tcp6']) {
    for (const line of readOrEmpty(`/proc/net/${family}`).split('\n').slice(1)) {
      // sl local remote st tx:rx tr:when retransmits uid timeout inode
      const fields = line.trim().split(/\s+/)
      if (fields[1]?.endsWith(suffix) && fields[3] === LISTEN && fields[9]) inodes.add(fields[9])
    }
  }
  return inodes
}

// Processes come and go while we look, and those of others are closed to us.
const orElse = <T>(read: () => T, otherwise: T): T => {
  try {
    return read()
  } catch {
    return otherwise
  }
}
const readOrEmpty = (path: string) => orElse(() => readFileSync(path, 'utf8'), '')
const readdirOrEmpty = (path: string) => orElse(() => readdirSync(path), [])
const readlinkOrEmpty = (path: string) => orElse(() => readlinkSync(path), '')

/** Whether only this machine can reach it. */
export const isLoopback = (host: string): boolean => /^(?:127\.|::1$|localhost$)/.test(host)
