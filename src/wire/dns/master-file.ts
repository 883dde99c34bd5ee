/** Zones as text: master files, read record by record. */
import { DnsName } from './name.ts'
import type { MasterFileOptions, OnRecord } from './master-file/master-file-options.ts'
import { MasterFileError, MasterFileReader } from './master-file/master-file-reader.ts'
import { RecordRefused } from './master-file/record-refused.ts'
import { DnsRecord } from './record.ts'

export { MasterFileError, RecordRefused }
export type { MasterFileOptions, OnRecord }

/**
 * Reads a master file (RFC 1035 §5) with `$ORIGIN`, `$INCLUDE`, `$TTL` (RFC 2308 §4) and `$GENERATE` as BIND has it. Keeps nothing. Throws a
 * `MasterFileError` at the first mistake.
 */
export function parseMasterFile(bytes: Buffer, options: MasterFileOptions, onRecord: OnRecord): void {
  new MasterFileReader(bytes, options, onRecord).read()
}

/**
 * The one record of a line as master files have it, `www 300 IN A 192.0.2.1`: an hour to live where it says nothing. Throws a `MasterFileError`.
 */
export function parseRecord(
  line: string,
  { origin = DnsName.ROOT, ttl = 3600, file = 'record' } = {},
): DnsRecord {
  const records: DnsRecord[] = []
  parseMasterFile(Buffer.from(line), { origin, file, ttl }, (name, type, seconds, rdata, klass) => {
    if (records.length > 0) throw new RecordRefused('expected one record, and this is another one')
    records.push(new DnsRecord(name, type, seconds, Buffer.from(rdata), klass))
  })
  const [record] = records
  if (!record)
    throw new MasterFileError(
      { file, line: 1, column: 1 },
      'expected a record, such as www 300 IN A 192.0.2.1',
    )
  return record
}
