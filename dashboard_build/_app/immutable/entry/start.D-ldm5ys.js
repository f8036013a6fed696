import{s as r}from"../chunks/_RnqkRU8.js";import{B as t}from"../chunks/BLnXB458.js";export{t as load_css,r as start};
