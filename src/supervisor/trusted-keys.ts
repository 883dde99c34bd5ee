/** Whose units this node runs, as the configuration has it now: keys come and go with a reload. */
import { EdgeError } from '../base/errors.ts'
import type { Config } from '../config/schema.ts'
import type { StoreView } from '../contract/store.ts'
import { isUnderWay } from '../contract/rollout.ts'
import { listPointers, readRecord, type VersionRecord } from '../unit/records.ts'
import { signatureCheck, type CheckSignature } from '../unit/signature.ts'
import type { Follower, Step } from './followers.ts'

type UnitsConfig = Config['control']['units']

export class TrustedKeys implements Follower {
  readonly #store: StoreView
  #config: UnitsConfig
  #check: CheckSignature

  constructor(store: StoreView, config: UnitsConfig) {
    this.#store = store
    this.#config = config
    this.#check = checkOf(config)
  }

  /** By the keys that are trusted when it is called. */
  readonly check: CheckSignature = (name, content) => this.#check(name, content)

  follow({ control: { units } }: Config): Step {
    const check = checkOf(units)
    return {
      verify: () => {
        // Only then is it sure what is in force: a reload before may have gone live late.
        if (JSON.stringify(units) !== JSON.stringify(this.#config)) this.#assertRunning(check)
      },
      use: () => {
        this.#config = units
        this.#check = check
      },
    }
  }

  /** A unit that runs would run on, and not start again with the node: so it has to be signed anew, or go, before its key does. */
  #assertRunning(check: CheckSignature): void {
    const problems = listPointers(this.#store).flatMap(([name, { live, history, rollout }]) => {
      const record = readRecord(this.#store, name, live)
      const before = history.at(-1)
      const mayTakeOver = record?.manifest.onError === 'lastGood' && before !== undefined
      const lastGood = mayTakeOver ? readRecord(this.#store, name, before) : undefined
      return [
        ...this.#problemsOf(check, name, live, record),
        ...this.#problemsOf(check, name, before, lastGood).map(
          (text) => `${text}, and takes over where it fails`,
        ),
        ...(isUnderWay(rollout)
          ? this.#problemsOf(check, name, rollout.version, readRecord(this.#store, name, rollout.version))
          : []),
      ]
    })
    if (problems.length === 0) return
    throw new EdgeError('unit-unsigned', `control.units: ${problems.join('; ')}`, {
      hint: 'deploy what is named again, signed with a key that stays, or remove it; then reload',
    })
  }

  /** None where it is not run for its signature already. */
  #problemsOf(
    check: CheckSignature,
    name: string,
    version: number | undefined,
    record: VersionRecord | undefined,
  ): readonly string[] {
    if (record === undefined || problemOf(() => this.#check(name, record)) !== undefined) return []
    const problem = problemOf(() => check(name, record))
    return problem === undefined ? [] : [`version ${version}: ${problem}`]
  }
}

const checkOf = ({ trustedKeys, requireSignature }: UnitsConfig): CheckSignature =>
  signatureCheck(trustedKeys, requireSignature)

function problemOf(check: () => void): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof EdgeError) return error.message
    throw error
  }
}
