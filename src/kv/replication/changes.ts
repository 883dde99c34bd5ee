/** What a group of operations changes in one bucket: the last state of each key and marker, however often it was written. */
import type { Effect } from '../../contract/store.ts'
import type { KvRow } from '../rows.ts'
import { encodeMarker, encodeRow, markerKey, rowKey, type Marker } from './encoding.ts'

export interface Change {
  readonly namespace: string
  readonly key: string
  /** Undefined: the key goes. */
  readonly row: KvRow | undefined
}

export class Changes {
  readonly rows = new Map<string, Change>()
  /** Undefined: it goes. */
  readonly markers = new Map<string, Omit<Marker, 'through'> | undefined>()

  get isEmpty(): boolean {
    return this.rows.size === 0 && this.markers.size === 0
  }

  set(namespace: string, key: string, row: KvRow | undefined): void {
    this.rows.set(rowKey(namespace, key), { namespace, key, row })
  }

  /** Markers come first: whoever finds its own one waits for the group to be whole. */
  effects(afterId: number): Effect[] {
    const through = afterId + this.markers.size + this.rows.size
    return [
      ...[...this.markers].map(([instance, marker]) =>
        effect(markerKey(instance), marker && encodeMarker({ ...marker, through })),
      ),
      ...[...this.rows].map(([name, { row }]) => effect(name, row && encodeRow(row))),
    ]
  }
}

const effect = (key: string, value: string | undefined): Effect =>
  value === undefined ? { operation: 'DELETE', key } : { operation: 'SET', key, value }
