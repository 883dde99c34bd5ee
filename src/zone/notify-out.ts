/** Tells other servers that a zone changed (RFC 1996), again and again until each has answered. */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Timers } from '../base/timers.ts'
import { OPCODE, RCODE, rcodeName, TYPE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { encodeMessage } from '../wire/dns/message-writer.ts'
import type { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import type { ServerAddress } from './tcp-link.ts'

export interface NotifyOptions {
  readonly timers: Timers
  readonly random: () => number
  readonly attemptsMax: number
  /** What is waited for the first answer; twice as long each time after. */
  readonly firstWaitMs: number
}

export interface Notifying {
  /** Undefined once it was answered; otherwise why it was not. */
  readonly done: Promise<string | undefined>
  stop(): void
}

export function notify(
  zone: DnsName,
  soa: DnsRecord | undefined,
  to: ServerAddress,
  { timers, random, attemptsMax, firstWaitMs }: NotifyOptions,
): Notifying {
  const message = new DnsMessage()
  message.id = Math.floor(random() * 0x1_0000)
  message.opcode = OPCODE.NOTIFY
  message.isAuthoritative = true
  message.question.push({ name: zone, type: TYPE.SOA, class: 1 })
  // A hint of what is new: whoever is told asks for it all the same (§3.7).
  if (soa) message.answer.push(soa)
  const bytes = encodeMessage(message)
  const socket = createSocket(isIPv6(to.host) ? 'udp6' : 'udp4')
  let callOff = (): void => {}
  let finish: (reason: string | undefined) => void = () => {}
  const done = new Promise<string | undefined>((resolve) => {
    finish = (reason) => {
      callOff()
      finish = () => {}
      socket.close()
      resolve(reason)
    }
  })
  let attempts = 0
  let trouble = 'nobody answers'
  const attempt = (): void => {
    if (attempts === attemptsMax) return finish(trouble)
    socket.send(bytes)
    callOff = timers.later(firstWaitMs * 2 ** attempts, attempt)
    attempts += 1
  }
  // An unreachable port is told at once; somebody may be there the next time.
  socket.on('error', (error) => void (trouble = error.message))
  socket.on('message', (answer) => {
    const rcode = rcodeOf(answer, message.id)
    if (rcode === undefined) return
    finish(rcode === RCODE.NOERROR ? undefined : `it answers ${rcodeName(rcode)}`)
  })
  // A connected socket takes nothing from anybody else.
  socket.connect(to.port, to.host, (error?: Error) => {
    if (error) finish(error.message)
    else attempt()
  })
  return { done, stop: () => finish('it was called off') }
}

function rcodeOf(bytes: Buffer, id: number): number | undefined {
  try {
    const answer = DnsMessage.decode(bytes)
    const isOurs = answer.isResponse && answer.id === id && answer.opcode === OPCODE.NOTIFY
    return isOurs ? answer.rcode : undefined
  } catch {
    return undefined
  }
}
