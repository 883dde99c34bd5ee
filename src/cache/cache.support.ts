/** What tests of the cache share: traces. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const TRACES = new URL('../../test/fixtures/traces/', import.meta.url)

/** Requests of a trace that has been handed along with this tree. */
export function readTrace(name: string): { key: string; bytes: number }[] {
  const text = gunzipSync(readFileSync(new URL(`${name}.txt.gz`, TRACES))).toString()
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [key = '', bytes = '1'] = line.split(' ')
      return { key, bytes: Number(bytes) }
    })
}

/** Hit counts of other implementations on these traces. */
export interface Reference {
  readonly traces: readonly {
    readonly name: string
    readonly requests: number
    readonly distinct: number
    readonly requestedOnce: number
    readonly distinctBytes?: number
    readonly runs: readonly ReferenceRun[]
  }[]
}

export interface ReferenceRun {
  readonly mode: 'objects' | 'bytes'
  readonly capacity: number
  readonly filter: 'none' | 'second-exact' | 'second-bloom1pct' | 'second-rotating'
  readonly policies: Readonly<
    Record<string, { readonly hits?: number; readonly hitRatio: number; readonly byteHitRatio?: number }>
  >
}

export function readReference(): Reference {
  return JSON.parse(readFileSync(new URL('reference.json', TRACES), 'utf8'))
}
