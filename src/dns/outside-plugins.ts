/**
 * Plugins from outside: `plugin NAME FILE [before|after PLUGIN]` in a Corefile, outside of server blocks or within one. The line makes the name known
 * to all blocks, and says where in the chain it stands.
 */
import { dirname, isAbsolute, resolve } from 'node:path'
import { nearest } from '../base/nearest.ts'
import type { CorefileLine, DnsPlugin } from '../contract/dns.ts'
import { CorefileError } from './corefile/corefile-error.ts'
import type { Corefile, CorefileSource } from './corefile/corefile.ts'
import { loadFailure, loadOutsideModule } from './outside-modules.ts'
import type { PluginOrder } from './server-blocks.ts'

/** Where it stands when the line does not say: behind what limits, keeps and changes answers, in front of what answers. */
const USUAL_PLACE = ['after', 'unit'] as const

export const OUTSIDE_SYNTAX = 'plugin NAME FILE [before|after PLUGIN]'

/** The order with those that a Corefile adds. Nothing is loaded yet, and only what a block names ever is. */
export function withOutsidePlugins(
  order: PluginOrder,
  corefile: Corefile,
  source: CorefileSource,
): PluginOrder {
  const inBlocks = corefile.blocks.flatMap(({ lines }) => lines.filter(({ name }) => name.text === 'plugin'))
  const lines = [...corefile.plugins, ...inBlocks]
  if (lines.length === 0) return order
  const names = [...order.names]
  const outside = new Map<
    string,
    { readonly line: CorefileLine; readonly folder: string; readonly file: string }
  >()
  const folder = resolve(source.folder)
  for (const line of lines) {
    const [name, file, side, beside, extra] = line.args
    if (!name || !file || line.block || extra || (side && !beside))
      throw new CorefileError(line.name, `a plugin from outside is named by "${OUTSIDE_SYNTAX}"`)
    const from = dirname(isAbsolute(line.name.file) ? line.name.file : resolve(folder, line.name.file))
    if (!/^[a-z][a-z0-9_-]{0,63}$/i.test(name.text) || ['plugin', 'import'].includes(name.text))
      throw new CorefileError(name, `${name.text} is no name of a plugin: expected letters, digits, - and _`)
    const known = outside.get(name.text)
    // The same line may stand in several blocks.
    if (known && known.file === file.text && known.folder === from && !side) continue
    if (names.includes(name.text))
      throw new CorefileError(
        name,
        known
          ? `the plugin ${name.text} was named before, in line ${known.line.name.line}`
          : `a plugin that is built in is named ${name.text}: give yours another name, in its file as well`,
      )
    if (side && side.text !== 'before' && side.text !== 'after')
      throw new CorefileError(
        side,
        `"${side.text}" is no place: expected before or after, and the name of a plugin`,
      )
    const [where, anchor] = side && beside ? [side.text, beside.text] : USUAL_PLACE
    const at = names.indexOf(anchor)
    if (at < 0) {
      const meant = nearest(anchor, names)
      throw new CorefileError(
        beside ?? name,
        `no plugin is named ${anchor}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      )
    }
    names.splice(where === 'before' ? at : at + 1, 0, name.text)
    outside.set(name.text, { line, folder: from, file: file.text })
  }
  return {
    names,
    isKnownWord: (word) => word === 'plugin',
    outside: [...outside.keys()],
    load: async (name) => {
      const known = outside.get(name)
      return known ? await loadOutside(name, known.file, known.folder, known.line) : await order.load(name)
    },
  }
}

async function loadOutside(
  name: string,
  file: string,
  folder: string,
  line: CorefileLine,
): Promise<DnsPlugin> {
  const where = line.args[1]!
  const fail = (text: string): never => {
    throw new CorefileError(where, `plugin/${name}: ${text}`)
  }
  const module = await loadOutsideModule(file, folder).catch((error: unknown) =>
    fail(`${file} cannot be loaded: ${loadFailure(error)}`),
  )
  const plugin = (module as { readonly default?: unknown }).default as Partial<DnsPlugin> | undefined
  if (plugin === undefined)
    return fail(
      `${file} has no default export: expected \`export default { name: '${name}', setup(controller) { … } }\``,
    )
  if (typeof plugin !== 'object' || plugin === null)
    return fail(`the default export of ${file} is a ${typeof plugin}: expected an object with name and setup`)
  if (plugin.name !== name)
    return fail(
      `${file} says that its name is ${JSON.stringify(plugin.name)}: expected "${name}", as this line names it`,
    )
  if (typeof plugin.setup !== 'function')
    return fail(`the plugin in ${file} has no setup: expected a function that returns its handler`)
  return {
    name,
    setup: async (controller) => {
      const handler = await plugin.setup!(controller)
      if (handler !== undefined && handler !== null && typeof handler.handle !== 'function')
        return controller.fail(
          controller.lines[0]!,
          'its setup returned no handler: expected an object with handle(query, next), or nothing',
        )
      return handler
    },
  }
}
