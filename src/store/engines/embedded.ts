/** The embedded engine: the log is the file of this node, and nobody else writes it. */
import type { SharedLog } from '../../contract/shared-log.ts'
import { samePosition, type LocalStore, type LogEntry, type Position } from '../../contract/store.ts'

export function embeddedLog(store: LocalStore, onAppended: () => void = () => {}): SharedLog {
  const watchers = new Set<() => void>()
  const endsAt = (position: Position) => samePosition(store.position(), position)
  const isThere = (entries: readonly LogEntry[], after: Position): boolean => {
    const found = store.entriesAfter(after, entries.length)
    // The last one, whose hash is over all: what only begins the same is somebody else's.
    return found !== 'reset' && found[entries.length - 1]?.hash === entries.at(-1)?.hash
  }
  const changed = () => {
    onAppended()
    for (const watcher of watchers) watcher()
  }
  return {
    async head() {
      return store.position()
    },
    async append(expected, entries) {
      if (!endsAt(expected)) return isThere(entries, expected) ? 'appended' : 'conflict'
      store.apply(entries)
      changed()
      return 'appended'
    },
    async read(after, limit) {
      return store.entriesAfter(after, limit)
    },
    async snapshot() {
      return store.snapshot()
    },
    async replace(expected, { position, entries }) {
      if (!endsAt(expected)) return 'conflict'
      const load = store.load(position, undefined)
      load.add(entries)
      load.commit()
      changed()
      return 'replaced'
    },
    async trim(id) {
      store.rotate(id)
    },
    watch(onChange) {
      watchers.add(onChange)
      return () => watchers.delete(onChange)
    },
  }
}
