/**
 * The stages of a rollout: read from what people write, and what they mean for one edge.
 *
 *     canary:5%,25%,100%     5 %, then 25 %, then all clients of the edges in the group `canary`
 *     10%,100%               10 %, then all clients of all edges
 *
 * Several texts follow each other. After the last stage the version is live everywhere. A later stage takes nobody out: an edge has the
 * largest share of all stages so far that name it.
 */
import type { LiveRollout, RolloutStage } from '../../contract/rollout.ts'
import { pointOf } from '../sample.ts'

const STAGES_MAX = 50

export type StagesResult = { readonly stages: readonly RolloutStage[] } | { readonly problem: string }

export function parseStages(texts: readonly string[]): StagesResult {
  const stages: RolloutStage[] = []
  for (const text of texts) {
    const colon = text.lastIndexOf(':')
    const groups = colon < 0 ? [] : text.slice(0, colon).split(',')
    if (groups.some((group) => !/^[^\s,:%]+$/.test(group)))
      return { problem: `"${text}": before the colon stand names of groups, as in canary,beta:5%` }
    for (const part of text.slice(colon + 1).split(',')) {
      const share = parseShare(part)
      if (share === undefined)
        return { problem: `"${text}": "${part}" is no share of the clients; write one above 0% to 100%` }
      const stage = { groups, share }
      if (stages.some((before) => covers(before, stage)))
        return { problem: `"${text}": ${stageText(stage)} adds nobody to the stages before it` }
      stages.push(stage)
    }
  }
  if (stages.length === 0) return { problem: 'there is no stage' }
  if (stages.length > STAGES_MAX) return { problem: `there are more than ${STAGES_MAX} stages` }
  return { stages }
}

/** `5%` or `0.5%` as a number above 0, to 1. */
export function parseShare(text: string): number | undefined {
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text.trim())?.[1]
  const share = Number(percent) / 100
  return percent !== undefined && share > 0 && share <= 1 ? share : undefined
}

const covers = (before: RolloutStage, stage: RolloutStage): boolean =>
  before.share >= stage.share &&
  (before.groups.length === 0 ||
    (stage.groups.length > 0 && stage.groups.every((group) => before.groups.includes(group))))

/** `5% of canary`. */
export const stageText = ({ groups, share }: RolloutStage): string =>
  `${shareText(share)} of ${groups.length === 0 ? 'all edges' : groups.join(', ')}`

export const shareText = (share: number): string => `${Number((share * 100).toFixed(4))}%`

/** The share of its clients that an edge in these groups gives the new version. */
export function shareHere(stages: readonly RolloutStage[], groups: readonly string[]): number {
  const mine = stages.filter(
    (stage) => stage.groups.length === 0 || stage.groups.some((group) => groups.includes(group)),
  )
  return Math.max(0, ...mine.map(({ share }) => share))
}

/**
 * Whether a client is among those of a share. It stays where it is as long as the rollout lasts, on every edge; a larger share only adds
 * clients, and each rollout begins with others.
 */
export function isInShare(
  unit: { readonly name: string; readonly version: number },
  share: number,
  address: string,
): boolean {
  if (share >= 1) return true
  return share > 0 && pointOf(`${unit.name}@${unit.version}`, address) < share
}

/** The share that counts on an edge; 0 for a shadow, which answers nobody. */
export const stagedShare = (rollout: LiveRollout, groups: readonly string[]): number =>
  rollout.kind === 'staged' ? shareHere(rollout.stages, groups) : 0
