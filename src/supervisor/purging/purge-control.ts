/** Purges as the admin API and units ask for them: into the log, and acknowledged when the caches of this node, and of its edges, are past them. */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { within } from '../../base/within.ts'
import type { Purge } from '../../contract/purge.ts'
import type { Position } from '../../contract/store.ts'
import { type ChangeOptions, NotFinished, type PurgeRequest } from '../../control/node.ts'
import type { PurgeResult } from '../../control/purge-shapes.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import { asPurged } from '../../replication/edge-plane.ts'
import { isLive, type EdgeLevel } from '../../replication/publication.ts'
import type { NodePurges } from './node-purges.ts'
import type { PurgeWriter } from './purge-writer.ts'

export interface PurgeControlParts {
  readonly clock: Clock
  readonly here: NodePurges
  readonly writer: PurgeWriter
  /** Undefined: this node is an edge. */
  readonly plane: EdgePlane | undefined
  readonly level: (options: ChangeOptions) => EdgeLevel | undefined
  readonly workers: () => { readonly workers: number; readonly of: number }
  /** Throws where this node takes no changes now. */
  readonly assertTakesChanges: () => void
  readonly siteNames: () => readonly string[]
}

export type AskPurge = (request: PurgeRequest, options: ChangeOptions) => Promise<PurgeResult>

export function purgeControl(parts: PurgeControlParts): AskPurge {
  const { clock, here, plane } = parts
  return async (request, options) => {
    parts.assertTakesChanges()
    const unknown = request.sites?.find((site) => !parts.siteNames().includes(site))
    if (unknown !== undefined) throw new EdgeError('site-unknown', `there is no site ${unknown.slice(0, 80)}`)
    const start = clock.monotonic()
    const purge: Purge = { ...request, at: clock.now() }
    const position = await parts.writer.write(purge)
    const sinceMs = () => round(clock.monotonic() - start)
    const result = (objects: number): PurgeResult => ({
      id: position.id,
      soft: purge.soft,
      objects,
      live: parts.workers(),
      ms: sinceMs(),
    })
    if (options.wait === 'stored') return result(0)
    const objects = await within(options.timeoutMs, here.applied(position))
    if (objects === undefined) {
      throw new NotFinished(
        `the caches of this node are not past the purge after ${options.timeoutMs} ms; it is in the log, and goes on`,
        [{ who: 'control', reason: 'a worker, or the cache on disk, has not answered' }],
      )
    }
    const level = parts.level(options)
    if (level === undefined || plane === undefined) return result(objects)
    const found = await plane.waitPurged(level, position, Math.max(1, options.timeoutMs - sinceMs()))
    if (found.kind === 'not-yet') {
      throw new NotFinished(
        `the caches of not every edge are past the purge after ${options.timeoutMs} ms; it is in the log, and goes on`,
        found.laggards,
      )
    }
    const edges = edgesPast(plane, position)
    return {
      ...result(objects + edges.objects),
      live: sum(parts.workers(), edges),
      edges: { live: edges.live, of: edges.count, ms: sinceMs() },
    }
  }
}

function edgesPast(plane: EdgePlane, position: Position) {
  const all = plane.edges().filter(({ presence }) => presence !== 'stopped')
  const past = all.filter((edge) => isLive(asPurged(edge), position))
  const objectsOf = (id: number) =>
    past.reduce((total, { purged }) => total + (purged?.objects.find(([one]) => one === id)?.[1] ?? 0), 0)
  return {
    live: past.length,
    count: all.length,
    workers: past.reduce((total, { workers }) => total + workers.live, 0),
    of: all.reduce((total, { workers }) => total + workers.of, 0),
    objects: objectsOf(position.id),
  }
}

const sum = (
  one: { readonly workers: number; readonly of: number },
  other: { readonly workers: number; readonly of: number },
) => ({ workers: one.workers + other.workers, of: one.of + other.of })

const round = (ms: number): number => Math.round(ms * 100) / 100
