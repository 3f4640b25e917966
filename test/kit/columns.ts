/** A table of texts, one line a row, each column as wide as its widest cell. */
export function columns(table: readonly (readonly string[])[]): readonly string[] {
  const [head = []] = table;
  const widths = head.map((_, i) => Math.max(...table.map((cells) => cells[i]?.length ?? 0)));
  return table.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
