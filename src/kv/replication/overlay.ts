/** Changes over what the log of a bucket says, that are not in it yet: planned, and thrown away where another writer was faster. */
import type { KvRow, KvRows, KvUsage } from '../rows.ts'
import type { Buckets } from './buckets.ts'
import { Changes } from './changes.ts'
import { rowKey, type Marker } from './encoding.ts'
import type { PlanState } from './plan.ts'

export class Overlay implements PlanState {
  readonly changes = new Changes()
  readonly #below: Pick<KvRows, 'held' | 'usage'>
  readonly #buckets: Buckets
  readonly #usages = new Map<string, KvUsage>()

  constructor(below: Pick<KvRows, 'held' | 'usage'>, buckets: Buckets) {
    this.#below = below
    this.#buckets = buckets
  }

  held(namespace: string, key: string): KvRow | undefined {
    const change = this.changes.rows.get(rowKey(namespace, key))
    return change ? change.row : this.#below.held(namespace, key)
  }

  usage(namespace: string): Readonly<KvUsage> {
    return this.#usage(namespace)
  }

  put(namespace: string, key: string, row: KvRow, held: KvRow | undefined): void {
    const usage = this.#usage(namespace)
    usage.keys += held ? 0 : 1
    usage.bytes += row.value.length - (held ? held.value.length : -Buffer.byteLength(key))
    this.changes.set(namespace, key, row)
  }

  remove(namespace: string, key: string, held: KvRow): void {
    const usage = this.#usage(namespace)
    usage.keys--
    usage.bytes -= held.value.length + Buffer.byteLength(key)
    this.changes.set(namespace, key, undefined)
  }

  marker(bucket: number, instance: string): Omit<Marker, 'through'> | undefined {
    return this.changes.markers.get(instance) ?? this.#buckets.marker(bucket, instance)
  }

  setMarker(_bucket: number, instance: string, marker: Omit<Marker, 'through'> | undefined): void {
    this.changes.markers.set(instance, marker)
  }

  instancesBeyond(bucket: number, from: string | undefined, count: number): readonly string[] {
    return this.#buckets.instancesBeyond(bucket, from, count)
  }

  #usage(namespace: string): KvUsage {
    let usage = this.#usages.get(namespace)
    if (!usage) this.#usages.set(namespace, (usage = { ...this.#below.usage(namespace) }))
    return usage
  }
}
