/** A node that keeps large objects in slices, before an origin that can be asked for parts. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext } from 'node:test'
import { startDivisibleOrigin, type DivisibleOrigin } from '../harness/divisible-origin.ts'
import type { Answer } from '../harness/http-client.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'

export const SLICE = 64 * 1024
export const KIB = 1024
export const MIB = 1024 * 1024
export const LARGE = randomBytes(10 * SLICE + 1000)

export interface Stand {
  readonly origin: DivisibleOrigin
  readonly node: TestNode
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>
}

export async function stand(t: TestContext, cache: object = {}): Promise<Stand> {
  const origin = await startDivisibleOrigin(t, {})
  const config = {
    edge: { limits: PATIENT },
    sites: [{ origin: origin.url, cache: { ram: '32mb', slice: '64kb', ...cache } }],
  }
  const node = await startNode(t, { config })
  return {
    origin,
    node,
    get: (path, headers = {}, method = 'GET') => node.request(path, { headers, method }),
  }
}

export const statusOf = (answer: Answer) => String(answer.headers['cache-status'])
export const slicesOf = (path: string, size: number, from = 0): string[] => {
  const asks: string[] = []
  for (let start = from * SLICE; start < size; start += SLICE)
    // Of the first the end is not known.
    asks.push(
      `${path} ${start}-${(start === from * SLICE ? start + SLICE : Math.min(size, start + SLICE)) - 1}`,
    )
  return asks
}
export const isCut = (answer: Promise<Answer>) => assert.rejects(answer, /aborted|socket hang up|ECONNRESET/)
