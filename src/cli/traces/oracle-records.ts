/**
 * Traces in libCacheSim's binary format `oracleGeneral`, which most of the public ones come in: records of 24 bytes,
 * little-endian and packed: time (4), object (8), size (4), next access (8), of which object and size are read.
 */
const RECORD_BYTES = 24

export async function* oracleRecords(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly key: string; readonly bytes: number }> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = bytes.length - (bytes.length % RECORD_BYTES)
    for (let at = 0; at < end; at += RECORD_BYTES) {
      const key = `${bytes.readUInt32LE(at + 8)}/${bytes.readUInt32LE(at + 4)}`
      yield { key, bytes: bytes.readUInt32LE(at + 12) }
    }
    rest = bytes.subarray(end)
  }
}
