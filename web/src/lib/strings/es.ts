import { en, type Strings } from './en.ts';
export const es: Strings = en;
