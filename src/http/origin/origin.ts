/** The origin of a site: spreads calls over its endpoints in turn, and moves on where one cannot be reached. */
import type { Clock } from '../../base/clock.ts'
import type { OriginConfig } from '../../config/schema.ts'
import type { Origin, OriginCall, OriginHandler, OriginRequest } from '../../contract/origin.ts'
import { endpointAddresses } from './address.ts'
import { Call, type Attempts } from './call.ts'
import { Endpoint } from './endpoint.ts'

export interface OriginDeps {
  readonly clock: Clock
}

export function createOrigin(config: OriginConfig, deps: OriginDeps): Origin {
  const { timeouts, connectionsMax } = config
  return new BalancedOrigin(
    endpointAddresses(config).map(
      (address) => new Endpoint({ address, timeouts, connectionsMax, clock: deps.clock }),
    ),
    deps.clock,
  )
}

class BalancedOrigin implements Origin, Attempts {
  private readonly endpoints: readonly Endpoint[]
  private readonly clock: Clock
  private turn = 0

  constructor(endpoints: readonly Endpoint[], clock: Clock) {
    this.endpoints = endpoints
    this.clock = clock
  }

  send(request: OriginRequest, handler: OriginHandler): OriginCall {
    const call = new Call(request, handler, this, this.clock)
    this.turn = (this.turn + 1) % this.endpoints.length
    call.endpointIndex = this.turn
    this.endpoints[this.turn]!.take(call, false)
    return call
  }

  retry(call: Call): void {
    this.endpoints[call.endpointIndex]!.take(call, true)
  }

  failOver(call: Call): boolean {
    if (call.attempts >= this.endpoints.length) return false
    call.attempts++
    call.endpointIndex = (call.endpointIndex + 1) % this.endpoints.length
    this.endpoints[call.endpointIndex]!.take(call, false)
    return true
  }

  close(): void {
    for (const endpoint of this.endpoints) endpoint.close()
  }
}
