import{_ as m}from"../chunks/CqW5PLnc.js";export{m as component};
