/**
 * How a log lies in etcd, and what its records say.
 *
 *     PREFIX/head/LOG                              {log, id, hash, generation}: the end, and what every append compares
 *     PREFIX/data/LOG/GENERATION/base              {id, hash, …}: what `state/` holds at least, and where `batch/` begins
 *     PREFIX/data/LOG/GENERATION/batch/LAST-ID     the entries of one append
 *     PREFIX/data/LOG/GENERATION/blob/LAST-ID-X/N  the parts of a batch that is too large for one record
 *     PREFIX/data/LOG/GENERATION/state/KEY/N       the parts of a value, of entries up to the base
 *
 * An append writes one batch and the head, so it is one transaction however many effects it has. The state is what `state/` says with all batches
 * played over it: it is brought up to date when entries are let go (`folding.ts`), many at once, and a key that changed a thousand times is written once.
 * A log that is replaced gets another generation. Batches are named by their last id: the one that holds an id is the first whose name is not below it.
 */
import type { LogEntry, Position } from '../../../contract/store.ts'
import { endOf } from './kv.ts'

export interface Head {
  readonly position: Position
  readonly generation: string
  /** As it lies in etcd: what an append compares. */
  readonly text: string
}

export interface Base {
  readonly id: number
  readonly hash: string
  /** Who folds now, or did last. */
  readonly folder: string
  /** Whether a value of the state ever had more than one part. Where none had, none has to be removed. */
  readonly hasParts: boolean
  readonly text: string
}

/** The entries of one append: `first` to the id in its key. */
export interface Batch {
  readonly first: number
  /** The hash of the entry before the first. */
  readonly before: string
  /** Of the last entry. */
  readonly hash: string
  /** Where the text of the entries lies, if not here. */
  readonly blob?: string
  readonly entries?: readonly EntryFields[]
}

export type EntryFields = readonly [
  operation: LogEntry['operation'],
  key: string,
  value: string,
  at: number,
  hash: string,
]

/** Digits of every number that a safe integer can be. */
const ID_DIGITS = 16
const padded = (id: number): string => String(id).padStart(ID_DIGITS, '0')
const PART_DIGITS = 6

export const headKey = (prefix: string, log: string): string => `${prefix}/head/${log}`
export const headsPrefix = (prefix: string): string => `${prefix}/head/`
export const dataPrefix = (prefix: string, log: string): string => `${prefix}/data/${log}/`

export interface Keys {
  /** All keys of the generation. */
  readonly all: string
  readonly base: string
  readonly batches: string
  readonly batchesEnd: string
  readonly state: string
  readonly stateEnd: string
  batch(lastId: number): string
  /** Of an append that ends at the id; `name` tells it from others that try the same. */
  blob(lastId: number, name: string): string
  /** Where the blobs of appends that end later begin. */
  blobsAfter(id: number): string
  readonly blobs: string
  statePart(key: string, part: number): string
}

export function generationKeys(prefix: string, log: string, generation: string): Keys {
  const all = `${dataPrefix(prefix, log)}${generation}/`
  const [batches, blobs, state] = [`${all}batch/`, `${all}blob/`, `${all}state/`]
  return {
    all,
    base: `${all}base`,
    batches,
    batchesEnd: endOf(batches),
    state,
    stateEnd: endOf(state),
    blobs,
    batch: (lastId) => batches + padded(lastId),
    blob: (lastId, name) => `${blobs}${padded(lastId)}-${name}/`,
    blobsAfter: (id) => blobs + padded(id + 1),
    statePart: (key, part) => `${state}${encodeURIComponent(key.toWellFormed())}/${partName(part)}`,
  }
}

export const partName = (part: number): string => String(part).padStart(PART_DIGITS, '0')

/** The key of the log whose state a part belongs to. */
export const stateKeyOf = (keys: Keys, key: string): string =>
  decodeURIComponent(key.slice(keys.state.length, key.lastIndexOf('/')))

export function headText({ log, id, hash }: Position, generation: string): string {
  return JSON.stringify({ log, id, hash, generation })
}

/** Undefined for what is none: then somebody else wrote it. */
export function headOf(text: string): Head | undefined {
  const value = fieldsOf(text)
  if (value === undefined) return undefined
  const { log, id, hash, generation } = value
  if (typeof log !== 'string' || !isId(id) || typeof hash !== 'string' || typeof generation !== 'string')
    return undefined
  return { position: { log, id, hash }, generation, text }
}

export const baseText = ({ id, hash, folder, hasParts }: Omit<Base, 'text'>): string =>
  JSON.stringify({ id, hash, folder, hasParts })

export function baseOf(text: string): Base | undefined {
  const value = fieldsOf(text)
  if (value === undefined) return undefined
  const { id, hash, folder, hasParts } = value
  if (!isId(id) || typeof hash !== 'string' || typeof folder !== 'string') return undefined
  return { id, hash, folder, hasParts: hasParts === true, text }
}

export function batchOf(text: string): Batch | undefined {
  const value = fieldsOf(text)
  if (value === undefined) return undefined
  const { first, before, hash, blob, entries } = value
  if (!isId(first) || typeof before !== 'string' || typeof hash !== 'string') return undefined
  if (typeof blob === 'string') return { first, before, hash, blob }
  return Array.isArray(entries) ? { first, before, hash, entries: entries as EntryFields[] } : undefined
}

export const fieldsOfEntry = ({ operation, key, value, at, hash }: LogEntry): EntryFields => [
  operation,
  key,
  value,
  at,
  hash,
]

export const entriesOf = (first: number, all: readonly EntryFields[]): readonly LogEntry[] =>
  all.map(([operation, key, value, at, hash], index) => ({
    id: first + index,
    operation,
    key,
    value,
    at,
    hash,
  }))

export const lastIdOf = (batchKey: string): number => Number(batchKey.slice(-ID_DIGITS))

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
