/** `health`: says to whoever asks over HTTP that the process lives, and holds up its end for those who still ask. */
import { setTimeout as wait } from 'node:timers/promises'
import { every, systemTimers } from '../../../base/timers.ts'
import type { DnsPlugin } from '../../../contract/dns.ts'
import {
  type HttpAddress,
  httpAddressOf,
  openHttpEndpoint,
  type OpenHttpEndpoint,
} from '../http-endpoints.ts'
import { atMost, durationOf, onlyLine, unknownProperty } from '../line-words.ts'
import { askHealth } from './self-check.ts'

const USUAL: HttpAddress = { host: undefined, port: 8080 }
const CHECK_MS = 1000
const SECONDS = [
  0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048,
  4.096, 8.192,
]

export default {
  name: 'health',
  setup(controller) {
    const line = onlyLine(controller)
    atMost(controller, line, 1)
    const [word] = line.args
    const address = word ? httpAddressOf(controller, word) : USUAL
    let lameDuckMs = 0
    for (const property of line.block ?? []) {
      if (property.name.text !== 'lameduck') unknownProperty(controller, property, ['lameduck'])
      atMost(controller, property, 1)
      lameDuckMs = durationOf(controller, property)
    }
    const { metrics, host, log } = controller
    const took = metrics.histogram(
      'coredns_health_request_duration_seconds',
      'Histogram of the time (in seconds) each request took.',
      SECONDS,
    )
    const failures = metrics.counter(
      'coredns_health_request_failures_total',
      'The number of times the health check failed.',
    )
    let endpoint: OpenHttpEndpoint | undefined
    let callOff: (() => void) | undefined
    controller.onStart(async () => {
      if (host.isFirst === false) return
      const opened = await openHttpEndpoint(
        address,
        '/health',
        () => ({ status: 200, text: 'OK' }),
        host.isFirst,
      )
      endpoint = opened
      callOff = every(systemTimers, CHECK_MS, () => {
        const before = host.steadyNow()
        askHealth(address.host, opened.port).then(
          () => took.observe((host.steadyNow() - before) / 1000),
          (error: unknown) => {
            failures.add(1)
            log.warn(
              `the check of the own endpoint failed: ${error instanceof Error ? error.message : error}`,
            )
          },
        )
      })
    })
    if (lameDuckMs > 0)
      controller.onEnding(async () => {
        log.info(`Going into lameduck mode for ${lameDuckMs / 1000}s`)
        await wait(lameDuckMs)
      })
    controller.onShutdown(async () => {
      callOff?.()
      await endpoint?.close()
    })
  },
} satisfies DnsPlugin
