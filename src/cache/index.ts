/**
 * A cache bounded by bytes or entries, with the policy and the admission of one's choice, for use on its own:
 * `import { Cache } from 'orla/cache'`. It knows nothing of HTTP.
 */
export type { Admission, AdmissionOptions } from '../contract/admission.ts'
export type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../contract/replacement-policy.ts'
export { ADMISSION_NAMES, createAdmission, type AdmissionName } from './admission/admissions.ts'
export { Cache, ENTRY_OVERHEAD_BYTES } from './cache.ts'
export type { CacheBound, CacheCounters, CacheOptions } from './cache.ts'
export type { EvictedAges } from './evicted-ages.ts'
export { hashKey } from './key-hash.ts'
export { createPolicy, POLICY_NAMES, type PolicyName } from './policies/policies.ts'
