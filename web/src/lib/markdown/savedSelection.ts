// Keeps a selection while the text that holds its end grows: a text node whose data is set loses the ends in it.

export class SavedSelection {
  #kept: { anchor: Node; anchorOffset: number; focus: Node; focusOffset: number } | null = null;

  /** Call it before the elements in `root` change. */
  save(root: Node): void {
    this.#kept = null;
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed) return;
    const { anchorNode: anchor, anchorOffset, focusNode: focus, focusOffset } = selection;
    if (!anchor || !focus || !(root.contains(anchor) || root.contains(focus))) return;
    this.#kept = { anchor, anchorOffset, focus, focusOffset };
  }

  /** Call it after they have changed. Ends in nodes that are gone stay where the browser put them. */
  restore(): void {
    const kept = this.#kept;
    const selection = document.getSelection();
    if (!kept || !selection) return;
    const { anchor, anchorOffset, focus, focusOffset } = kept;
    const same =
      selection.anchorNode === anchor &&
      selection.anchorOffset === anchorOffset &&
      selection.focusNode === focus &&
      selection.focusOffset === focusOffset;
    if (same || !isPlace(anchor, anchorOffset) || !isPlace(focus, focusOffset)) return;
    selection.setBaseAndExtent(anchor, anchorOffset, focus, focusOffset);
  }
}

function isPlace(node: Node, offset: number): boolean {
  const length = node instanceof Text ? node.length : node.childNodes.length;
  return node.isConnected && offset <= length;
}
