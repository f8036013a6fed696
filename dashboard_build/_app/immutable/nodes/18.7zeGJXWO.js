import{_ as m}from"../chunks/CELLyPma.js";export{m as component};
