/**
 * Key/value data of units, between the workers that ask for changes and the supervisor, who alone writes.
 *
 * A change is an effect that its writer works out: `increment` becomes the value that it leads to. So what is written could be
 * written again, on another machine, with the same result.
 */

/** A key is judged by the quota of its store; a longer one is not even carried there. */
export const KV_KEY_CHARACTERS_MAX = 64 * 1024
/** A hundred years. */
export const KV_TTL_MS_MAX = 100 * 365 * 86_400_000

/** `kv` lies on the disk and lasts; `cache` holds what can be made again, and is empty after a start. */
export type KvStoreName = 'kv' | 'cache'

export type KvWrite =
  | {
      readonly op: 'put'
      readonly namespace: string
      readonly key: string
      readonly value: Uint8Array
      /** 0: it stays. */
      readonly ttlMs: number
    }
  | { readonly op: 'delete'; readonly namespace: string; readonly key: string }
  | {
      readonly op: 'increment'
      readonly namespace: string
      readonly key: string
      readonly by: number
      /** Counts from when the counter comes to be. 0: it stays. */
      readonly ttlMs: number
    }
  | {
      readonly op: 'compareAndSet'
      readonly namespace: string
      readonly key: string
      /** What the key has to hold; null: nothing. */
      readonly expected: Uint8Array | null
      readonly value: Uint8Array
      readonly ttlMs: number
    }

/** Also a read, where whoever orders the changes is asked. */
export type KvOperation = KvWrite | { readonly op: 'get'; readonly namespace: string; readonly key: string }

/** Why a change was refused. */
export type KvRefusal =
  | 'kv-key' // the key is too long
  | 'kv-value' // the value is too large
  | 'kv-quota' // the namespace holds as many keys or bytes as it may
  | 'kv-number' // what is to be incremented is no whole number, or would be none any more
  | 'kv-busy' // as many changes of the namespace wait in this worker as may
  | 'kv-outbox' // as many changes wait for the control plane as may
  | 'kv-unavailable' // the file cannot be read or written, or the control plane does not answer

/**
 * What became of one operation, or why not. `value` is the counter's, 1 where a key was deleted, set by `compareAndSet` or read, else 0.
 */
export type KvResult =
  | { readonly value: number; /** Of `get`. */ readonly bytes?: Uint8Array }
  | { readonly code: KvRefusal; readonly message: string }

/** Changes of one worker that go together, in order. */
export interface KvBatch {
  readonly id: number
  readonly store: KvStoreName
  readonly writes: readonly KvOperation[]
  /** On the disk before it is answered, not only visible. */
  readonly durable: boolean
  /** Asked of whoever orders the changes of all nodes, and not done here first. Of `compareAndSet` and `get` always. */
  readonly strong?: boolean
}

export interface KvLimits {
  readonly keysMax: number
  readonly bytesMax: number
  readonly keyBytesMax: number
  readonly valueBytesMax: number
}

export const KV_KEY_BYTES_MAX = 512
export const KV_VALUE_BYTES_MAX = 1024 * 1024

/** Keys of one answer of `list`. */
export const KV_LIST_MAX = 1000

export interface KvKey {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
}

export interface KvPage {
  readonly keys: readonly KvKey[]
  /** Where the next page begins; absent on the last one. */
  readonly cursor?: string
  readonly complete: boolean
}
