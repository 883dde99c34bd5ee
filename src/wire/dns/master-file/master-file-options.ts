/** How a master file is read, and what its records are given to. */
import type { DnsName } from '../name.ts'

/**
 * Given each record of a file as it is read. `rdata` is memory that is used again for the next one: copy what is kept. `owner` may be kept. Throws a
 * `RecordRefused` where the record has no place here: that becomes an error with its line.
 */
export type OnRecord = (owner: DnsName, type: number, ttl: number, rdata: Buffer, klass: number) => void

export interface MasterFileOptions {
  /** What names without a dot at the end go on with, until the file says otherwise. */
  readonly origin: DnsName
  /** Name of the file, for errors. */
  readonly file: string
  /** Seconds, for records that say none before the file said any. */
  readonly ttl?: number
  /**
   * Reads what `$INCLUDE` names, as the file `from` wrote it. Throws an `Error` where it cannot be read. Without it, `$INCLUDE` is an error.
   */
  readonly include?: (path: string, from: string) => { readonly bytes: Buffer; readonly file: string }
}
