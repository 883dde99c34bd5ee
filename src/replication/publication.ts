/** Whether a publish has come as far as whoever made it asked for: which edges run it, which do not, and why. */
import type { Position } from '../contract/store.ts'
import type { KnownEdge } from './edge-registry.ts'

/** Which edges have to run it. The node of the control plane runs it by then. */
export type EdgeLevel =
  | { readonly kind: 'all' }
  /** So many nodes, that of the control plane among them; a majority where it is not said. */
  | { readonly kind: 'quorum'; readonly count: number | undefined }
  | { readonly kind: 'named'; readonly names: readonly string[] }

export interface EdgeLaggard {
  readonly who: string
  readonly reason: string
}

export type Reached =
  | { readonly kind: 'yes' }
  | { readonly kind: 'not-yet'; readonly laggards: readonly EdgeLaggard[] }
  /** An edge has it and does not run it. */
  | { readonly kind: 'rejected'; readonly by: string; readonly problems: readonly string[] }

type Rejected = NonNullable<KnownEdge['rejected']>

/** Edges that left in order are not waited for. `rejecting` did so before: see `rejectingBefore`. */
export function reached(
  level: EdgeLevel,
  position: Position,
  edges: readonly KnownEdge[],
  nowMs: number,
  rejecting: ReadonlySet<string> = new Set(),
): Reached {
  const wanted =
    level.kind === 'named'
      ? level.names
      : edges.filter(({ presence }) => presence !== 'stopped').map(({ name }) => name)
  const asked = wanted.map((name) => ({ name, edge: edges.find((one) => one.name === name) }))
  for (const { name, edge } of asked) {
    const { rejected } = edge ?? {}
    if (edge && rejected && !rejecting.has(name) && rejects(edge, rejected, position))
      return { kind: 'rejected', by: name, problems: rejected.problems }
  }
  const late = asked.filter(({ edge }) => !edge || !isLive(edge, position))
  const live = asked.length - late.length
  // The node of the control plane itself is one of them.
  const needed =
    level.kind === 'quorum' ? (level.count ?? Math.floor((asked.length + 1) / 2) + 1) - 1 : asked.length
  if (live >= needed) return { kind: 'yes' }
  return {
    kind: 'not-yet',
    laggards: late.map(({ name, edge }) => ({
      who: `edge ${name}`,
      reason: reasonOf(edge, position, nowMs),
    })),
  }
}

const rejects = (edge: KnownEdge, rejected: Rejected, position: Position): boolean =>
  rejected.log === position.log && rejected.id >= position.id && !isLive(edge, position)

/** Edges that do not run what came before a position: they lag, whatever comes then, and it is not what they reject. */
export const rejectingBefore = (edges: readonly KnownEdge[], { log, id }: Position): ReadonlySet<string> =>
  new Set(
    edges.flatMap(({ name, rejected }) =>
      rejected && rejected.log === log && rejected.id < id ? [name] : [],
    ),
  )

export const isLive = ({ live }: Pick<KnownEdge, 'live'>, { log, id }: Position): boolean =>
  live.log === log && live.id >= id

function reasonOf(edge: KnownEdge | undefined, position: Position, nowMs: number): string {
  if (!edge) return 'no edge of that name is known'
  if (edge.presence === 'away') {
    const seconds = Math.max(0, Math.round((nowMs - edge.lastSeen) / 1000))
    return `it is not connected here since ${seconds} s; forget it with \`orla edges remove ${edge.name}\` if it does not come back`
  }
  if (edge.presence === 'stopped') return 'it was stopped'
  if (edge.stored.log !== position.log || edge.stored.id < position.id)
    return `it has the log up to ${edge.stored.id}, and this is ${position.id}`
  if (edge.rejected)
    return `it does not run position ${edge.rejected.id}: ${edge.rejected.problems.join('; ')}`
  const { live, of } = edge.workers
  return `it has it on its disk, and its workers have not all prepared it (${live} of ${of} are ready)`
}
