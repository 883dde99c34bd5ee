/** Requests, pipelined and damaged, against llhttp. See fuzz/differential.ts; run longer by scripts/fuzz-http.ts. */
import { fuzz, type FuzzOptions, type Outcome } from './fuzz/differential.ts'
import { makeRequest } from './fuzz/generator.ts'

export function fuzzRequests(options: FuzzOptions): Outcome {
  return fuzz('request', makeRequest, options)
}
