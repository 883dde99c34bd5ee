/**
 * The purges that the state of the log holds, without what they say: so that it is known which are to be let go of, and which of another log were
 * applied here already.
 */
import {
  listPurges,
  PURGE_FLOOR_KEY,
  PURGE_KEPT_MS,
  purgeIdOf,
  purgeKey,
  PURGES_KEPT_CHARACTERS,
  PURGES_KEPT_MAX,
} from '../../contract/purge.ts'
import type { Effect, LogEntry, StoreView } from '../../contract/store.ts'

interface KeptPurge {
  readonly at: number
  readonly characters: number
}

/** Old ones that one append lets go of. */
const DELETED_MAX = 100

export class PurgeLedger {
  /** By id, the oldest first. */
  readonly #kept = new Map<number, KeptPurge>()
  #characters = 0

  read(store: StoreView): void {
    this.#kept.clear()
    this.#characters = 0
    for (const [id, text] of listPurges(store)) this.#add(id, text)
  }

  /** What the log says next. */
  note({ key, operation, value }: Pick<LogEntry, 'key' | 'operation' | 'value'>): void {
    const id = purgeIdOf(key)
    if (id === undefined) return
    const before = this.#kept.get(id)
    if (before !== undefined) {
      this.#characters -= before.characters
      this.#kept.delete(id)
    }
    if (operation === 'SET') this.#add(id, value)
  }

  get size(): number {
    return this.#kept.size
  }

  /** Whether the same purge was in the state before. */
  has(id: number, text: string): boolean {
    const kept = this.#kept.get(id)
    return kept !== undefined && kept.at === atOf(text) && kept.characters === text.length
  }

  /** Lets go of what is too old, or too much, once `more` come. What is let go of in the middle of a log is told by the floor. */
  outdated(nowMs: number, more: readonly string[]): readonly Effect[] {
    const effects: Effect[] = []
    let count = this.#kept.size + more.length
    let characters = this.#characters + more.reduce((sum, text) => sum + text.length, 0)
    let floor = 0
    for (const [id, kept] of this.#kept) {
      const isOld = kept.at < nowMs - PURGE_KEPT_MS
      const isTooMuch = count > PURGES_KEPT_MAX || characters > PURGES_KEPT_CHARACTERS
      if ((!isOld && !isTooMuch) || effects.length === DELETED_MAX) break
      effects.push({ operation: 'DELETE', key: purgeKey(id) })
      count -= 1
      characters -= kept.characters
      floor = id
    }
    return floor === 0 ? [] : [...effects, { operation: 'SET', key: PURGE_FLOOR_KEY, value: String(floor) }]
  }

  #add(id: number, text: string): void {
    this.#kept.set(id, { at: atOf(text), characters: text.length })
    this.#characters += text.length
  }
}

function atOf(text: string): number {
  try {
    return Number((JSON.parse(text) as { readonly at?: unknown } | null)?.at) || 0
  } catch {
    return 0
  }
}

export const purgeFloor = (store: StoreView): number => Number(store.get(PURGE_FLOOR_KEY) ?? 0) || 0
