/** `view`: a server block that answers only some queries, by an expression. */
import type { CorefileLine, DnsController, DnsPlugin, DnsQuery } from '../../../contract/dns.ts'
import { unknownProperty } from '../line-words.ts'
import { compileExpression } from './expression/expression.ts'
import { ExpressionError } from './expression/expression-error.ts'

export default {
  name: 'view',
  setup(controller) {
    const [line, second] = controller.lines
    if (!line) return
    if (second)
      controller.fail(
        second,
        'view stands twice: a server block is one view; give all expressions in its block',
      )
    const [name] = line.args
    if (!name || line.args.length > 1)
      return controller.fail(
        line,
        'Wrong argument count: expected the name of the view alone, such as view example',
      )
    const { settings, log } = controller
    settings.view = name.text
    const conditions = (line.block ?? []).map((inner) => conditionOf(controller, inner))
    settings.filters.push((query) => {
      try {
        for (let index = 0; index < conditions.length; index++) if (!conditions[index]!(query)) return false
        return true
      } catch (error) {
        // A value that came with the query is not as the expression takes it: then it does not hold.
        log.debug(`view ${name.text}: ${(error as Error).message}`)
        return false
      }
    })
    settings.metadataProviders.push((query) => void query.metadata.set('view/name', () => query.view))
  },
} satisfies DnsPlugin

function conditionOf(controller: DnsController, line: CorefileLine): (query: DnsQuery) => boolean {
  if (line.name.text !== 'expr') return unknownProperty(controller, line, ['expr'])
  if (line.args.length === 0)
    controller.fail(line, "expr needs an expression, such as expr incidr(client_ip(), '10.0.0.0/8')")
  const source = line.args.map(({ text }) => text).join(' ')
  try {
    return compileExpression(source)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return controller.fail(
      line,
      `column ${error.column}: ${error.message}\n  ${source}\n  ${' '.repeat(error.column - 1)}^`,
    )
  }
}
