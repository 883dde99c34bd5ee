/**
 * Sends a content security policy with pages (W3C CSP Level 3): what a browser may load and run on them.
 *
 * A policy that the origin sends stays: two of them would both hold, and the page would get what both allow.
 *
 * Environment: `POLICY`, the directives (`default-src 'self'` where it is not set). `REPORT_ONLY=yes` lets browsers report what
 * the policy would have stopped, and stop nothing: the way to try one out. `OVERRIDE=yes` replaces what the origin sends.
 */
import type { Unit } from 'orla'

export default {
  headerFilter(request, response, edge) {
    const { POLICY = "default-src 'self'", REPORT_ONLY, OVERRIDE } = edge.env
    const type = response.headers.get('content-type') ?? ''
    if (!/^(?:text\/html|application\/xhtml\+xml)\b/i.test(type)) return
    const name = REPORT_ONLY === 'yes' ? 'content-security-policy-report-only' : 'content-security-policy'
    if (OVERRIDE === 'yes' || !response.headers.has(name)) response.headers.set(name, POLICY)
  },
} satisfies Unit
