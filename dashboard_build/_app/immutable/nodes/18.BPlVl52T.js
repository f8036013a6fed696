import{_ as m}from"../chunks/YLXfxFNh.js";export{m as component};
