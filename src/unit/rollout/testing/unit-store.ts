/** A store of its own with the units of a test, changed as a control plane does it: planned, then appended. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { systemClock } from '../../../base/clock.ts'
import { DEFAULT_GATE, type StagedRollout } from '../../../contract/rollout.ts'
import { DEFAULT_MANIFEST, type Manifest } from '../../../contract/unit.ts'
import { openSecrets } from '../../../store/secrets.ts'
import { openStore } from '../../../store/sqlite-store.ts'
import { planDeploy, type Change, type Draft, type PlanContext } from '../../changes.ts'
import { readPointer, readUnits } from '../../records.ts'
import { planStart, type RolloutTerms, type StagedTerms } from '../changes.ts'
import { parseStages } from '../stages.ts'

export function stagedTerms(
  texts: readonly string[],
  more: Partial<StagedTerms> = {},
): { staged: StagedTerms } {
  const result = parseStages(texts)
  if ('problem' in result) throw new Error(result.problem)
  return { staged: { stages: result.stages, stepForMs: 60_000, gate: DEFAULT_GATE, ...more } }
}

export class UnitStore {
  readonly #directory = mkdtempSync(join(tmpdir(), 'orla-rollout-'))
  readonly store = openStore(this.#directory, { clock: systemClock })
  readonly #secrets = openSecrets(this.#directory)
  /** Versions in quarantine. */
  readonly bad = new Set<number>()
  at = 1

  constructor() {
    after(() => {
      this.store.close()
      rmSync(this.#directory, { recursive: true })
    })
  }

  context(more: Partial<PlanContext> = {}): PlanContext {
    return { secrets: this.#secrets, at: this.at, bad: this.bad, ...more }
  }

  deploy(name = 'page', manifest: Partial<Manifest> = {}, more: Partial<PlanContext> = {}) {
    return this.apply(planDeploy(this.store, draft(name, manifest), this.context(more)))
  }

  start(terms: RolloutTerms, manifest: Partial<Manifest> = {}, more: Partial<PlanContext> = {}) {
    return this.apply(planStart(this.store, draft('page', manifest), terms, this.context(more)))
  }

  apply<C extends Change>(change: C): C {
    if (change.effects.length > 0) this.store.append(change.effects)
    return change
  }

  pointer(name = 'page') {
    return readPointer(this.store, name)!
  }

  get staged(): StagedRollout {
    return this.pointer().rollout as StagedRollout
  }

  set() {
    return readUnits(this.store, this.#secrets)
  }
}

const draft = (name: string, manifest: Partial<Manifest>): Draft => ({
  name,
  code: `module.exports = { default: {} } // ${name}`,
  sourceMap: '',
  files: { 'a.ts': '' },
  entry: 'a.ts',
  phases: 2,
  manifest: { ...DEFAULT_MANIFEST, ...manifest },
})
