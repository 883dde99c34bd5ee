/**
 * What a source holds, understood: units that can be deployed, and those that are left out, each with its reason. One never stops another.
 */
import { createHash } from 'node:crypto'
import type { FailurePolicy, Phase } from '../contract/unit.ts'
import { languageOf } from './language.ts'
import { parseLayout, tooLong, VALUE_BYTES_MAX } from './layout.ts'
import type { SourceEntry } from './redis-layout.ts'
import { moduleOf } from './unit-module.ts'
import { NAME_CHARACTERS_MAX, unitNameFor } from './unit-name.ts'

export interface FoundUnit {
  /** In the source. */
  readonly name: string
  /** Here. */
  readonly unit: string
  readonly phase: Phase
  /** The module to deploy. */
  readonly source: string
  /** Over what the module says. */
  readonly manifest: { readonly priority?: number; readonly sample?: number }
  /** Where the module says nothing. */
  readonly defaults: { readonly onError: FailurePolicy }
  /** The code names `redis_client`. */
  readonly usesRedis: boolean
  /** Of all that the unit is made of: the same, the same unit. */
  readonly hash: string
}

export interface LeftOut {
  readonly name: string
  readonly unit: string
  /** `aside`: it is in a language that does not run yet. */
  readonly state: 'aside' | 'refused'
  readonly reason: string
}

export interface Reading {
  readonly units: readonly FoundUnit[]
  readonly leftOut: readonly LeftOut[]
}

/** Grows when the same text makes another unit. */
const FORM = 1
const PRIORITY_MAX = 1_000_000

export function understand(entries: readonly SourceEntry[], onError: FailurePolicy): Reading {
  const priorities = prioritiesOf(entries)
  const units: FoundUnit[] = []
  const leftOut: LeftOut[] = []
  const taken = new Map<string, string>()
  for (const { name, score, value } of entries) {
    const unit = unitNameFor(name)
    const leave = (reason: string, state: LeftOut['state'] = 'refused') =>
      leftOut.push({ name: name.slice(0, NAME_CHARACTERS_MAX), unit, state, reason })
    const other = taken.get(unit)
    if (name.length > NAME_CHARACTERS_MAX) leave(`its name is longer than ${NAME_CHARACTERS_MAX} characters`)
    else if (other !== undefined) leave(`it would be called ${unit}, as \`${other}\` is`)
    else {
      taken.set(unit, name)
      const found = understandOne(value, score === undefined ? undefined : priorities.get(score))
      if ('reason' in found) leave(found.reason, found.state)
      else units.push(withHash({ name, unit, ...found, defaults: { onError } }))
    }
  }
  return { units, leftOut }
}

type Understood = Pick<FoundUnit, 'phase' | 'source' | 'manifest' | 'usesRedis'>

function understandOne(
  value: SourceEntry['value'],
  priority: number | undefined,
): Understood | Pick<LeftOut, 'state' | 'reason'> {
  if ('problem' in value) return { state: 'refused', reason: value.problem }
  const bytes = Buffer.byteLength(value.text)
  if (bytes > VALUE_BYTES_MAX) return { state: 'refused', reason: tooLong(bytes) }
  const laidOut = parseLayout(value.text)
  if ('problem' in laidOut) return { state: 'refused', reason: laidOut.problem }
  const { phase, code, share } = laidOut
  const language = languageOf(code)
  if (language.kind === 'lua')
    return { state: 'aside', reason: `it is Lua (by ${language.sign}), which does not run here yet` }
  if (language.kind === 'broken') return { state: 'refused', reason: brokenText(language.problem, code) }
  if (language.kind === 'chunk' && phase === 'timer')
    return {
      state: 'refused',
      reason: 'a chunk for `timer` says not when it runs: write a module with `every` or `cron`',
    }
  return {
    phase,
    source: language.kind === 'module' ? code : moduleOf(phase, code, language.awaits),
    usesRedis: /\bredis_client\b|\bedge\s*\.\s*redis\b/.test(code),
    manifest: {
      ...(priority !== undefined && { priority }),
      ...(share !== undefined && { sample: share / 100 }),
    },
  }
}

function brokenText(problem: string, code: string): string {
  const [tail] = /\|\|\d+\s*$/.exec(code) ?? []
  const hint =
    tail === undefined ? '' : `; it ends with \`${tail.trim()}\`, and a share is a number from 1 to 100`
  return `its code is no JavaScript: ${problem}${hint}`
}

/**
 * Scores as priorities: the lowest score runs first, the highest priority does. Whole scores are turned around, so that a new unit between two others changes neither; where one is a
 * fraction or too large, places in the order count.
 */
function prioritiesOf(entries: readonly SourceEntry[]): ReadonlyMap<number, number> {
  const scores = [...new Set(entries.flatMap(({ score }) => (score === undefined ? [] : [score])))]
  const areWhole = scores.every((score) => Number.isInteger(score) && Math.abs(score) <= PRIORITY_MAX)
  const inOrder = scores.toSorted((a, b) => a - b)
  // `|| 0`: the opposite of 0 is not -0.
  return new Map(inOrder.map((score, place) => [score, areWhole ? -score || 0 : -place || 0]))
}

function withHash(unit: Omit<FoundUnit, 'hash'>): FoundUnit {
  const { source, manifest, defaults } = unit
  const text = JSON.stringify([FORM, source, manifest, defaults])
  return { ...unit, hash: createHash('sha256').update(text).digest('hex') }
}
