/** Batches, as they are written and as they are read: one record each, or parts where they are large. */
import type { LogEntry, Position } from '../../../contract/store.ts'
import type { Gateway } from './gateway.ts'
import { endOf, type KeyValue, type Operation, put, range, rangeAt, transact } from './kv.ts'
import { REQUEST_BYTES_MAX } from './place.ts'
import {
  type Batch,
  batchOf,
  entriesOf,
  type EntryFields,
  fieldsOfEntry,
  type Keys,
  lastIdOf,
  partName,
} from './records.ts'

/** A larger batch lies beside its record, so that a page of records stays small. */
const INLINE_BYTES_MAX = 64 * 1024
/** Records of one look. */
export const PAGE_RECORDS = 256
/** Entries of one page, about: the first record that goes beyond is the last. */
const PAGE_BYTES = 4 * 1024 * 1024
/** Parts that are fetched in one request. */
const PART_PAGE = 8

export interface WrittenBatch {
  /** To be stored before the record is: each is a transaction of its own. */
  readonly before: readonly Operation[]
  /** Belong into the transaction of the head. */
  readonly record: readonly Operation[]
  /** What all of `before` starts with. */
  readonly blob: string
}

/** `name` tells this try from others to append at the same place. */
export function writeBatch(
  keys: Keys,
  expected: Position,
  entries: readonly LogEntry[],
  name: string,
): WrittenBatch {
  const last = entries.at(-1)!
  const head = { first: expected.id + 1, before: expected.hash, hash: last.hash }
  const key = keys.batch(last.id)
  const blob = keys.blob(last.id, name)
  const fields = JSON.stringify(entries.map(fieldsOfEntry))
  const text = Buffer.from(fields)
  if (text.length <= INLINE_BYTES_MAX) {
    const record = `${JSON.stringify(head).slice(0, -1)},"entries":${fields}}`
    return { before: [], record: [put(key, record)], blob }
  }
  const parts = partsOf(text, REQUEST_BYTES_MAX).map((part, index) => put(blob + partName(index), part))
  const record = put(key, JSON.stringify({ ...head, blob }))
  return parts.length === 1
    ? { before: [], record: [...parts, record], blob }
    : { before: parts, record: [record], blob }
}

export function partsOf(bytes: Buffer, partBytes: number): readonly Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / partBytes))
  return Array.from({ length: count }, (_, part) => bytes.subarray(part * partBytes, (part + 1) * partBytes))
}

/**
 * The entries after a position, out of records that begin with the one which holds the next entry: as far as they go on from each other.
 * At most `limit`, and fewer where they are large. None where the first does not go on from the position: what was there has been
 * removed, or never was.
 */
export async function readBatches(
  gateway: Gateway,
  records: readonly KeyValue[],
  after: Pick<Position, 'id' | 'hash'>,
  { limit, revision }: { readonly limit: number; readonly revision?: number },
): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = []
  let at = after
  let bytes = 0
  for (const { key, value } of records) {
    const lastId = lastIdOf(key)
    const batch = batchOf(value.toString())
    if (batch === undefined || batch.first > at.id + 1 || lastId <= at.id) break
    const read = await fieldsOfBatch(gateway, batch, value.length, revision)
    if (read === undefined || read.fields.length !== lastId - batch.first + 1) break
    const all = entriesOf(batch.first, read.fields)
    const known = at.id - batch.first
    if ((known < 0 ? batch.before : all[known]!.hash) !== at.hash) break
    entries.push(...all.slice(known + 1, known + 1 + limit - entries.length))
    at = { id: lastId, hash: batch.hash }
    bytes += read.bytes
    if (entries.length >= limit || bytes >= PAGE_BYTES) break
  }
  return entries
}

async function fieldsOfBatch(
  gateway: Gateway,
  batch: Batch,
  recordBytes: number,
  revision: number | undefined,
): Promise<{ readonly fields: readonly EntryFields[]; readonly bytes: number } | undefined> {
  if (batch.blob === undefined) return { fields: batch.entries!, bytes: recordBytes }
  const bytes = await partsBelow(gateway, batch.blob, revision)
  try {
    const fields: unknown = JSON.parse(bytes.toString())
    return Array.isArray(fields) ? { fields: fields as EntryFields[], bytes: bytes.length } : undefined
  } catch {
    // Parts of it are gone, with what they belong to.
    return undefined
  }
}

async function partsBelow(gateway: Gateway, blob: string, revision: number | undefined): Promise<Buffer> {
  const parts: Buffer[] = []
  for (;;) {
    const from = blob + partName(parts.length)
    const found =
      revision === undefined
        ? (await transact(gateway, { success: [range(from, endOf(blob), PART_PAGE)] })).ranges[0]!
        : await rangeAt(gateway, from, endOf(blob), { limit: PART_PAGE, revision })
    parts.push(...found.map(({ value }) => value))
    if (found.length < PART_PAGE) return Buffer.concat(parts)
  }
}
