/** A cache bounded by bytes, for use on its own: `import { ByteCache } from 'orla/cache'`. It knows nothing of HTTP. */
export { ByteCache, ENTRY_OVERHEAD_BYTES } from './byte-cache.ts'
export type { ByteCacheCounters, ByteCacheOptions } from './byte-cache.ts'
