/**
 * A map of bounded size, by bytes or by entries, with the policy and the admission of one's choice, for use on its own. It knows
 * nothing of HTTP, starts no timers, and keeps nothing outside the process.
 *
 *     import { Cache } from 'orla/cache'
 *
 *     const pages = new Cache<Page>({ entriesMax: 10_000 })
 *     pages.set('/about', page)
 *     pages.get('/about')                          // the page, or undefined
 *
 *     const bodies = new Cache<Buffer>({ bytesMax: 64_000_000, policy: 'gdsf', onEvict: (body, key) => { … } })
 *     bodies.set('/logo.svg', body, body.length)   // false where it is too large, or not admitted
 *     bodies.counters.hits
 *
 * Keys are strings; a value may be anything but `undefined`. Bound by `bytesMax`, each entry is charged its key and what it takes beside
 * (`ENTRY_OVERHEAD_BYTES`); by `bareBytesMax`, only the bytes that `set` is told. Policies are those of `POLICY_NAMES`: `s3-fifo` where
 * nothing is said, which counts a hit and moves nothing. Admissions are those of `ADMISSION_NAMES`, or an object of one's own
 * (`Admission`). A wrong option throws, and says what would be right.
 *
 * Which policy to choose: `docs/concepts/replacement.md`; `orla cache sim` tries them all on a trace.
 */
export type { Admission, AdmissionOptions } from '../contract/admission.ts'
export type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../contract/replacement-policy.ts'
export { ADMISSION_NAMES, createAdmission, type AdmissionName } from './admission/admissions.ts'
export { Cache, ENTRY_OVERHEAD_BYTES } from './cache.ts'
export type { CacheBound, CacheCounters, CacheOptions } from './cache.ts'
export type { EvictedAges } from './evicted-ages.ts'
export { hashKey } from './key-hash.ts'
export { createPolicy, POLICY_NAMES, type PolicyName } from './policies/policies.ts'
