/** Responses, one after the other and damaged, against llhttp. See fuzz/differential.ts; run longer by scripts/fuzz-http.ts. */
import { fuzz, type FuzzOptions, type Outcome } from './fuzz/differential.ts'
import { makeResponse } from './fuzz/generator.ts'

export function fuzzResponses(options: FuzzOptions): Outcome {
  return fuzz('response', makeResponse, options)
}
