/**
 * Events on their way out of the kernel: ring buffers and perf event arrays, read as they arrive.
 *
 * The event loop waits on the buffer's own descriptor, so that nothing is asked while nothing happens. Samples are copied before they are
 * handed on; the kernel reuses their place.
 *
 * libbpf reads a ring buffer until it is empty, which it never is where events come faster than they are read. So a reading ends after some
 * thousand of them, and the event loop, where signals and timers wait, has its turn before the next one.
 */
import koffi from 'koffi'
import type { LibbpfCalls, Memory, Pointer } from './libbpf-calls.ts'
import { BpfFailure, errorText } from './libbpf-failure.ts'

export type OnSample = (sample: Buffer, cpu: number | undefined) => void
export type OnLost = (count: number, cpu: number) => void

export interface Follower {
  /** Reads what has come until now, without waiting for the event loop; of a ring buffer no more than it has room for, which may be filled meanwhile. */
  drain(): void
  /** Nothing comes after this. */
  close(): void
}

/** Pages of one CPU's part of a perf buffer: a power of two. */
const PERF_PAGES = 64
/** Samples of a ring buffer that are read at once. */
const READING_MAX = 4096
/** A sample of a ring buffer has a header of eight bytes, and may be empty. */
const SAMPLE_BYTES_MIN = 8

/** `ringBytes`: how large the buffer is. */
export function followRing(
  calls: LibbpfCalls,
  memory: Memory,
  fd: number,
  ringBytes: number,
  onSample: OnSample,
): Follower {
  const held = new Samples(onSample)
  const callback = memory.onSample((data, bytes) => {
    held.add(memory.copy(data, bytes), undefined)
    return held.count < READING_MAX
  })
  const buffer = calls.ring_buffer__new(fd, callback, null, null)
  // The kernel makes it of whole pages, a power of two of them.
  const readingsMax = 1 + Math.ceil((2 * ringBytes) / SAMPLE_BYTES_MIN / READING_MAX)
  return follow(calls, memory, buffer, 'ring_buffer', held, [callback], readingsMax)
}

export function followPerf(
  calls: LibbpfCalls,
  memory: Memory,
  fd: number,
  onSample: OnSample,
  onLost: OnLost,
): Follower {
  const held = new Samples(onSample)
  const callback = memory.onCpuSample((cpu, data, bytes) => held.add(memory.copy(data, bytes), cpu))
  const lost = memory.onLost((cpu, count) => onLost(count, cpu))
  const buffer = calls.perf_buffer__new(fd, PERF_PAGES, callback, lost, null, null)
  return follow(calls, memory, buffer, 'perf_buffer', held, [callback, lost])
}

/** Samples of one reading: handed on when C has returned, so that what a reader throws meets no C. */
class Samples {
  #held: (readonly [Buffer, number | undefined])[] = []
  readonly #onSample: OnSample

  constructor(onSample: OnSample) {
    this.#onSample = onSample
  }

  add(sample: Buffer, cpu: number | undefined): void {
    this.#held.push([sample, cpu])
  }

  get count(): number {
    return this.#held.length
  }

  handOn(): void {
    const held = this.#held
    this.#held = []
    for (const [sample, cpu] of held) this.#onSample(sample, cpu)
  }
}

function follow(
  calls: LibbpfCalls,
  memory: Memory,
  buffer: Pointer,
  kind: 'ring_buffer' | 'perf_buffer',
  held: Samples,
  callbacks: readonly bigint[],
  readingsMax = 1,
): Follower {
  if (buffer === null) {
    const errno = koffi.errno()
    for (const callback of callbacks) memory.forget(callback)
    throw new BpfFailure(`cannot follow events: ${errorText(calls, errno)}`, errno)
  }
  let isOpen = true
  /** Whether it ended before the buffer was empty. */
  const read = (): boolean => {
    calls[`${kind}__consume`](buffer)
    const isMore = held.count >= READING_MAX
    held.handOn()
    return isMore
  }
  const poll = memory.poll(calls[`${kind}__epoll_fd`](buffer), read)
  return {
    drain: () => {
      for (let left = readingsMax; isOpen && left > 0 && read(); left--);
    },
    close: () => {
      if (!isOpen) return
      isOpen = false
      poll.close()
      calls[`${kind}__free`](buffer)
      for (const callback of callbacks) memory.forget(callback)
    },
  }
}
