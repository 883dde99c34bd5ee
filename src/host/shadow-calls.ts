/**
 * What a shadow asks of the node: it reads what is there, and whatever would have an effect has none.
 *
 * Writes to key/value data are answered as if they had been made, so that the shadow goes on as it would. A `fetch` would be seen by
 * others: none goes out, unless the rollout says that GET and HEAD may.
 */
import { refusal, type HostAnswer, type HostCall, type HostCalls } from '../contract/host-calls.ts'
import { parseBan } from './ban-calls.ts'

type Answer = (answer: HostAnswer) => void

const DONE: HostAnswer = { ok: true, head: '0', body: '', result: 'shadow', target: '' }

export function startInShadow(calls: HostCalls, call: HostCall, answer: Answer): (() => void) | undefined {
  switch (call.kind) {
    case 'kv.get':
    case 'kv.list':
    case 'cache.get':
    case 'crypto.verify':
    case 'redis.read':
      return calls.start(call, answer)
    case 'kv.increment':
      return increment(calls, call, answer)
    case 'kv.compareAndSet':
      return compareAndSet(calls, call, answer)
    case 'kv.put':
    case 'kv.delete':
    case 'cache.put':
    case 'cache.delete':
      answer(DONE)
      return undefined
    case 'purge':
      answer({ ...DONE, head: '{"objects":0,"ms":0}' })
      return undefined
    case 'limit.take':
      return look(calls, call, answer)
    case 'ban': {
      const asked = parseBan(call.head)
      if (typeof asked === 'string') return calls.start(call, answer)
      const { prefix, forMs } = asked
      answer({ ...DONE, head: JSON.stringify({ prefix, until: Date.now() + forMs }) })
      return undefined
    }
    case 'fetch':
      if (call.unit.shadow?.mayFetch === true && isSafe(call.head)) return calls.start(call, answer)
      answer(refusal('shadow', 'fetch: nothing goes out of a unit that runs as a shadow', 'TypeError'))
      return undefined
    default:
      answer(refusal('shadow', `${call.kind}: not for a unit that runs as a shadow`))
      return undefined
  }
}

/** What the counter would be. What is wrong with the call, the read finds as well. */
function increment(calls: HostCalls, call: HostCall, answer: Answer): (() => void) | undefined {
  return calls.start({ ...call, kind: 'kv.get' }, (came) => {
    const by = Number(fieldOf(call.head, 'by') ?? 1)
    const total = Number(came.body) + by
    if (came.ok && !Number.isSafeInteger(total))
      answer(refusal('kv-value', 'kv.increment: the value is no whole number'))
    else answer(came.ok ? { ...DONE, head: String(total), target: came.target } : came)
  })
}

/** Whether it would be set. Both values come in one body, the expected one first; without a length of it, nothing is expected. */
function compareAndSet(calls: HostCalls, call: HostCall, answer: Answer): (() => void) | undefined {
  return calls.start({ ...call, kind: 'kv.get' }, (came) => {
    const length = fieldOf(call.head, 'expected')
    const expected = typeof length === 'number' ? call.body.slice(0, length) : undefined
    const found = came.head === '' ? undefined : came.body
    answer(came.ok ? { ...DONE, head: found === expected ? '1' : '0', target: came.target } : came)
  })
}

/** What it would be allowed, with nothing taken. Of a key that has less left than is asked for, it is told when all of it is there again. */
function look(calls: HostCalls, call: HostCall, answer: Answer): (() => void) | undefined {
  const cost = fieldOf(call.head, 'cost')
  // What is wrong with it is told by who reads it.
  if (typeof cost !== 'number' || !(cost >= 0)) return calls.start(call, answer)
  const head = JSON.stringify({ name: fieldOf(call.head, 'name'), key: fieldOf(call.head, 'key'), cost: 0 })
  return calls.start({ ...call, head }, (came) => {
    if (!came.ok) {
      answer(came)
      return
    }
    const found = JSON.parse(came.head) as {
      allowed: boolean
      remaining: number
      retryAfterMs: number | null
      resetMs: number
    }
    const allowed = found.allowed && found.remaining >= cost
    const remaining = allowed ? found.remaining - cost : found.remaining
    const retryAfterMs = allowed ? 0 : Math.max(found.retryAfterMs ?? 0, found.resetMs)
    answer({
      ...came,
      head: JSON.stringify({ ...found, allowed, remaining, retryAfterMs }),
      result: allowed ? 'allowed' : 'refused',
    })
  })
}

const isSafe = (head: string): boolean => /^(?:GET|HEAD)$/i.test(String(fieldOf(head, 'method')))

function fieldOf(head: string, name: string): unknown {
  try {
    return (JSON.parse(head) as Readonly<Record<string, unknown>> | null)?.[name]
  } catch {
    return undefined
  }
}
